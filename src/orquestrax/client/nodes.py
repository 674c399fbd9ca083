"""The nodes of the cluster, as people and programs see them.

All times come from the database's clock, which also wrote them; clocks of nodes are never compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from orquestrax.client.views import as_datetime
from orquestrax.core.store.clientverbs import NodeView

SECOND: Final = 1_000_000
WORKING: Final = frozenset({"alive", "draining", "silent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A definition as one node has it: nodes of different versions may work side by side."""

    name: str
    version: str
    digest: str

    @property
    def words(self) -> str:
        """Version and the beginning of the digest: `2 (9f3c01ab)`."""
        return f"{self.version} ({self.digest[:8]})".lstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Bodies of one executor (async, thread, process): at once at most `total`, now `used`."""

    total: int
    used: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """One process start: what `orquestrax nodes --json` prints and the REST API answers.

    number         its fence, never used twice
    status         alive, draining, silent (no heartbeat for as long as its lease), dead (declared so), ended
    since          when that began
    queues         that it serves; "*" is all of them
    release        of OrquestraX, and `python` of the interpreter
    held           instances in its memory, as of its last heartbeat, as are `waiting` and the used slots
    waiting        steps that wait there for a slot
    heartbeat_age  seconds since its last heartbeat
    declared_by    of the dead: the number of the node that declared it, and `cause`, why: silent, gone, expired
    """

    number: int
    name: str
    host: str
    pid: int
    status: str
    since: datetime
    roles: list[str]
    queues: list[str]
    release: str
    python: str
    definitions: list[Code]
    slots: dict[str, Slots]
    held: int
    waiting: int
    heartbeat_age: float
    started_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    declared_by: int | None
    cause: str | None

    @classmethod
    def of(cls, view: NodeView) -> NodeStatus:
        """From a row."""
        status, since = standing(view)
        load = load_of(view)
        return cls(
            number=view.fence,
            name=view.name,
            host=view.host,
            pid=view.pid,
            status=status,
            since=_moment(since),
            roles=view.roles,
            queues=view.queues,
            release=view.release,
            python=view.python,
            definitions=code_of(view),
            slots=load.slots,
            held=load.held,
            waiting=load.waiting,
            heartbeat_age=max(0, view.now - view.seen_at) / SECOND,
            started_at=_moment(view.started_at),
            seen_at=_moment(view.seen_at),
            ended_at=as_datetime(view.ended_at),
            declared_by=view.declared_by,
            cause=view.cause,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy a node was at its last heartbeat; nothing once it has ended."""

    slots: dict[str, Slots]
    held: int
    waiting: int


def standing(view: NodeView) -> tuple[str, int]:
    """How a node stands, and since when (µs)."""
    if view.ended_at is not None:
        return {"stopped": "ended"}.get(view.status, view.status), view.ended_at
    if view.now - view.seen_at > view.lease * SECOND:
        return "silent", view.seen_at
    return view.status, view.draining_at or view.started_at


def load_of(view: NodeView) -> Load:
    """From what it announced: its slots when it registered, the rest with each heartbeat."""
    totals: dict[str, int] = msgspec.json.decode(view.slots)
    ended = view.ended_at is not None
    load: dict[str, Any] = msgspec.json.decode(view.load) if view.load and not ended else {}
    used: Mapping[str, int] = load.get("used", {})
    slots = {
        executor: Slots(total=total, used=used.get(executor, 0), free=total - used.get(executor, 0))
        for executor, total in totals.items()
    }
    return Load(slots=slots, held=load.get("held", 0), waiting=load.get("waiting", 0))


def code_of(view: NodeView) -> list[Code]:
    """Its definitions by name; without version and digest where it announced none."""
    code: dict[str, dict[str, str]] = msgspec.json.decode(view.code)
    return [Code(name=name, **code.get(name, {"version": "", "digest": ""})) for name in view.definitions]


def mixed(nodes: Iterable[NodeView]) -> dict[str, dict[Code, list[str]]]:
    """The definitions of which working nodes have different code, by name: who has which."""
    seen: dict[str, dict[Code, list[str]]] = {}
    for node in nodes:
        if standing(node)[0] in WORKING:
            for code in code_of(node):
                seen.setdefault(code.name, {}).setdefault(code, []).append(node.name)
    return {name: seen[name] for name in sorted(seen) if len(seen[name]) > 1}


def _moment(at: int) -> datetime:
    moment = as_datetime(at)
    assert moment is not None
    return moment
