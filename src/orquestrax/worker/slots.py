"""How many bodies a node runs at once, by executor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from orquestrax.model.options import Executor


def cores() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


DEFAULT_SLOTS: Final[Mapping[Executor, int]] = MappingProxyType(
    {"async": 1000, "thread": min(32, (os.cpu_count() or 1) + 4), "process": cores()}
)


class Slots:
    """Counts free slots; a slot is one running body, abandoned ones included.

    limits  of some queues, how many of their bodies run at once
    """

    __slots__ = ("_free", "_places", "capacity")

    def __init__(self, capacity: Mapping[Executor, int], limits: Mapping[str, int] | None = None) -> None:
        self.capacity: Final = dict(capacity)
        self._free = dict(capacity)
        self._places = dict(limits or {})

    def free(self, executor: Executor) -> int:
        """How many more bodies may start now; 0 for an executor that this node does not have."""
        return self._free.get(executor, 0)

    def total(self, executor: Executor) -> int:
        """How many bodies may run at once."""
        return self.capacity.get(executor, 0)

    @property
    def used(self) -> dict[Executor, int]:
        """How many bodies run, by executor."""
        return {executor: total - self._free[executor] for executor, total in self.capacity.items()}

    def places(self, queue: str) -> int | None:
        """How many more bodies of this queue may start now; None if it has no limit."""
        return self._places.get(queue)

    def take(self, executor: Executor, queue: str = "") -> None:
        """Take one. Errors: RuntimeError if none is free; ask before."""
        if self._free.get(executor, 0) < 1:
            raise RuntimeError(f"no free slot for executor {executor!r}: ask has_slot() before start()")
        self._free[executor] -= 1
        if self._places and queue in self._places:
            self._places[queue] -= 1

    def give_back(self, executor: Executor, queue: str = "") -> None:
        """The body has ended."""
        self._free[executor] += 1
        if self._places and queue in self._places:
            self._places[queue] += 1
