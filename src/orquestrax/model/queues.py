"""Which queues a node serves, as people write it: `a,b:20`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from orquestrax.base.errors import SettingsError

EVERY: Final = "*"
_ENTRY: Final = re.compile(r"\s*([^\s:,]+)\s*(?::\s*([0-9]+)\s*)?")


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """The queues of one node.

    names   those that it serves; None for all that there are
    limits  of some of them, how many of their steps run here at once
    """

    names: frozenset[str] | None = None
    limits: Mapping[str, int] = {}

    def serves(self, queue: str) -> bool:
        """Whether steps of this queue may run here."""
        return self.names is None or queue in self.names

    @property
    def shown(self) -> list[str]:
        """As the node's row says it."""
        return [EVERY] if self.names is None else sorted(self.names)


ALL: Final = Served()
NONE: Final = Served(names=frozenset())


def read_queues(text: str, source: str) -> Served:
    """`*` for all queues, else names with their limits: `a,b:20`. Raises SettingsError, which names the source."""
    names, limits = set[str](), dict[str, int]()
    for entry in text.split(","):
        match = _ENTRY.fullmatch(entry)
        if match is None or (match[2] is not None and int(match[2]) < 1):
            raise SettingsError(
                f"queues from {source} has {entry.strip()!r}: write names with commas, and a limit behind a colon "
                "where there is one: a,b:20"
            )
        names.add(match[1])
        if match[2] is not None:
            limits[match[1]] = int(match[2])
    if EVERY in limits:
        raise SettingsError(
            f"queues from {source} limits all queues at once: use slots for that, and name the queue for a limit"
        )
    return Served(names=None if EVERY in names else frozenset(names), limits=limits)
