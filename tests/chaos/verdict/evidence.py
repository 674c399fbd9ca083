"""What is judged: all that is in the database in the end, what clients heard, what bodies left, what had struck."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from orquestrax.core.store.clientverbs import EventView, InstanceView, Takeover
from tests.chaos.cluster import Cluster
from tests.chaos.load import Load
from tests.chaos.operations import Operation
from tests.chaos.witness import LATE, UNSEEN
from tests.checker import Body, Call

FORGOTTEN: Final = re.compile(r"instance (\S+) leaves this node's memory")
AT_ONCE: Final = 1000


@dataclass
class Window:
    """When a fault was at work, in seconds of the monotonic clock, and whom it hit (pids)."""

    kind: str
    began: float
    ended: float
    hit: set[int] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Noted(Body):
    """A line that a body left: also the name of its step."""

    step: str


class Incarnation(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `nodes`; times in seconds of the monotonic clock."""

    fence: int
    pid: int
    status: str
    cause: str | None
    seen_at: float
    ended_at: float | None


@dataclass(kw_only=True)
class Case:
    """All about one instance. `forgotten` if a node's log says that it left the memory before its time."""

    view: InstanceView
    flow: str
    stored: list[EventView]
    inbox: list[Any]
    bodies: list[Noted]
    calls: list[Call]
    forgotten: bool = False


@dataclass(kw_only=True)
class Evidence:
    """Of one run. `offset` is what has to be added to the monotonic clock to get the database's, in seconds."""

    cases: dict[str, Case]
    calls: dict[str, list[Call]]
    operations: Sequence[Operation]
    strays: list[Noted]
    incarnations: dict[int, Incarnation]
    late_writes: list[str]
    unseen: int
    bookings: Counter[str]
    takeovers: list[Takeover]
    windows: list[Window]
    offset: float


async def gather(cluster: Cluster, load: Load, windows: list[Window]) -> Evidence:
    """Everything, once nothing runs any more."""
    bodies = defaultdict[str, list[Noted]](list)
    for body in read_bodies(cluster.folder):
        bodies[body.instance].append(body)
    forgotten = set(_forgotten(cluster.folder))
    (row,) = await cluster.rows("select extract(epoch from {schema}.now())::float8 as now")
    offset = row["now"] - time.monotonic()
    cases = {}
    async for view, stored, inbox in _instances(cluster):
        calls = load.operations.calls.get(view.id, [])
        cases[view.id] = Case(
            view=view, flow=load.flows.get(view.id, view.definition), stored=stored, inbox=inbox,
            bodies=bodies.pop(view.id, []), calls=calls, forgotten=view.id in forgotten,
        )  # fmt: skip
    incarnations = {row["fence"]: row for row in await cluster.rows("select * from {schema}.nodes")}
    return Evidence(
        cases=cases,
        calls=load.operations.calls,
        operations=load.operations.done,
        strays=[body for left in bodies.values() for body in left],
        incarnations={fence: _incarnation(row, offset) for fence, row in incarnations.items()},
        late_writes=[
            f"event {w['seq']} of {w['instance']} was written behind the fence of {w['fence']} at {w['at']}, "
            f"which ended at {w['ended_at']}"
            for w in await cluster.rows(LATE)
        ],
        unseen=len(await cluster.rows(UNSEEN)),
        bookings=Counter(row["token"] for row in await cluster.rows("select token from chaos_bookings")),
        takeovers=await cluster.client.store.takeovers(incarnations),
        windows=windows,
        offset=offset,
    )


async def _instances(cluster: Cluster) -> Any:
    """Each instance with its events and its inbox, some at a time."""
    store = cluster.client.store
    keys = [row["key"] for row in await cluster.rows("select key from {schema}.instances order by key")]
    for first in range(0, len(keys), AT_ONCE):
        some = keys[first : first + AT_ONCE]
        views = await store.by_key(some)
        stored = _by_instance(await cluster.rows(EVENTS, some))
        inbox = _by_instance(
            await cluster.rows("select * from {schema}.inbox where instance = any($1)", some)
        )
        for view in views:
            yield view, [_event(row) for row in stored[view.key]], inbox[view.key]


EVENTS: Final = """
    select instance, seq, type, (extract(epoch from at) * 1000000)::bigint as at, issued, trail, data::text as data
    from {schema}.events where instance = any($1) order by instance, seq
"""


def _event(row: asyncpg.Record) -> EventView:
    return EventView(**{name: row[name] for name in EventView.__struct_fields__})


def _by_instance(rows: Iterable[asyncpg.Record]) -> dict[UUID, list[asyncpg.Record]]:
    found = defaultdict[UUID, list[asyncpg.Record]](list)
    for row in rows:
        found[row["instance"]].append(row)
    return found


def _incarnation(row: asyncpg.Record, offset: float) -> Incarnation:
    ended = row["ended_at"]
    return Incarnation(
        fence=row["fence"], pid=row["pid"], status=row["status"], cause=row["cause"],
        seen_at=row["seen_at"].timestamp() - offset, ended_at=None if ended is None else ended.timestamp() - offset,
    )  # fmt: skip


def read_bodies(folder: Path) -> Iterator[Noted]:
    """The lines of all bodies. The last one of a process that was killed may be cut."""
    decode = msgspec.json.Decoder(Noted).decode
    for file in folder.glob("bodies-*.jsonl"):
        for line in file.read_bytes().split(b"\n")[:-1]:
            yield decode(line)


def _forgotten(folder: Path) -> Iterator[str]:
    for file in folder.glob("node-*.log"):
        yield from FORGOTTEN.findall(file.read_text(errors="replace"))
