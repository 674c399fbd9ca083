"""What clients, the dashboard and the CLI ask of the database: single statements, no fence.

Starts and messages carry ids of their own, so sending one again after an unknown outcome does no harm.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from orquestrax.base.errors import InstanceEnded, InvalidInput, InvalidState, NotFound
from orquestrax.core.store.database import Database
from orquestrax.core.store.searching import keys_of
from orquestrax.model.rows import NewInstance

_UNSTEERED: Final = {
    True: "the instance is blocked, not running: nothing of it goes on before fitting code is here",
    False: "the instance is {status}, not paused: there is nothing to resume",
}


class InstanceView(msgspec.Struct, frozen=True, kw_only=True):
    """An instance as people see it. Times in microseconds; payloads are JSON text."""

    key: UUID
    id: str
    definition: str
    version: str
    status: str
    owner: int | None
    priority: int
    wake_at: int | None
    mail: int
    created_at: int
    started_at: int | None
    ended_at: int | None
    deadline: int | None
    created_by: str
    digest: bytes
    input: str
    result: str | None
    error: str | None
    waits: str | None
    blocked: str | None
    state: str | None
    node: str | None
    started_on: str | None


class End(msgspec.Struct, frozen=True):
    """How an instance ended; result and error are JSON text."""

    key: UUID
    status: str
    result: str | None
    error: str | None


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a history; `data` is JSON text."""

    seq: int
    type: str
    at: int
    issued: int
    trail: int
    data: str


class DefinitionView(msgspec.Struct, frozen=True, kw_only=True):
    """A registered definition; `served` if a live node has it. `timeout` in seconds, None is no limit."""

    name: str
    version: str
    digest: str
    input_schema: str
    output_schema: str
    doc: str
    file: str
    line: int
    source: str
    registered_at: int
    served: bool
    timeout: float | None = None


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """One incarnation of a node. Times in µs by the database's clock, `now` among them; the rest of it is JSON."""

    fence: int
    name: str
    host: str
    pid: int
    roles: list[str]
    queues: list[str]
    definitions: list[str]
    slots: str
    release: str
    heartbeat: int
    status: str
    started_at: int
    seen_at: int
    draining_at: int | None
    ended_at: int | None
    lease: float
    python: str
    code: str
    declared_by: int | None
    cause: str | None
    freed: int | None
    freed_tasks: int | None
    load: str | None
    now: int


class Takeover(msgspec.Struct, frozen=True, kw_only=True):
    """One node's part of going on with what a dead one held; times in microseconds of the database's clock.

    `lost_at` is the dead node's last sign of life: `last_at - lost_at` is how long it took.
    """

    dead: int
    node: int
    name: str | None
    instances: int
    steps: int
    first_at: int
    last_at: int
    lost_at: int


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way to an instance: kind signal, cancel, terminate, pause or resume.

    `message` is the sender's id for it, `name` the signal's or who gives the order.
    """

    instance: UUID
    kind: str
    message: str
    name: str = ""
    payload: bytes | None = None


class ClientStore:
    """Reads, starts and messages over a pool."""

    def __init__(self, database: Database, *, lease: float = 10.0) -> None:
        self.database = database
        self._lease = lease

    async def start(self, new: NewInstance) -> bool:
        """Store an instance as pending; False if the id exists already."""
        return bool(await self.start_all([new]))

    async def start_all(self, starts: Sequence[NewInstance]) -> set[UUID]:
        """Store instances as pending, all or none; returns the keys of those whose ids did not exist."""
        columns = zip(*map(_start, starts), strict=True)
        rows = await self.database.fetch("start_pending", *(list(column) for column in columns))
        return {row["key"] for row in rows}

    async def send(self, orders: Sequence[Order]) -> list[int | None]:
        """Send messages, in order; returns the owners to hint.

        Raises InstanceEnded, NotFound, InvalidInput if an instance takes none, InvalidState if it cannot be paused
        or resumed.
        """
        rows = await self.database.fetch(
            "send_messages",
            [order.instance for order in orders],
            [order.kind for order in orders],
            [order.name for order in orders],
            [order.message for order in orders],
            [None if order.payload is None else order.payload.decode() for order in orders],
        )
        for row in rows:
            if not row["known"]:
                raise NotFound(f"there is no instance with the key {row['instance']}")
            if row["ended"]:
                raise InstanceEnded("the instance has ended and takes no more messages")
            if not row["taken"] and row["steers"]:
                raise InvalidState(_UNSTEERED[row["status"] == "blocked"].format(status=row["status"]))
            if not row["taken"]:
                raise InvalidInput(
                    "10,000 messages wait to be read by the instance: it takes no more until it has read some"
                )
        return [row["owner"] for row in rows]

    async def by_id(self, id_: str) -> InstanceView | None:
        """The instance of that id, if there is one."""
        rows = await self.database.fetch("instance_by_id", id_)
        return InstanceView(**dict(rows[0])) if rows else None

    async def by_key(self, keys: Sequence[UUID]) -> list[InstanceView]:
        """The instances of these keys, in no order."""
        return [
            InstanceView(**dict(row)) for row in await self.database.fetch("instances_by_key", list(keys))
        ]

    async def ends(self, keys: Sequence[UUID]) -> builtins.list[End]:
        """Those of these instances that have ended, in no order."""
        return [End(*row) for row in await self.database.fetch("ends_of", list(keys))]

    async def list(
        self,
        *,
        statuses: Sequence[str] | None = None,
        definition: str | None = None,
        search: str | None = None,
        before: UUID | None = None,
        limit: int = 50,
    ) -> builtins.list[InstanceView]:
        """Newest first; `before` is the last key of the page before, `search` as in `searching.keys_of`."""
        keys = await keys_of(
            self.database, search or "", statuses=statuses, definition=definition, before=before, limit=limit
        )
        rows = await self.database.fetch(
            "list_instances", list(statuses) if statuses else None, definition, keys, before, limit
        )
        return [InstanceView(**dict(row)) for row in rows]

    async def counts(self) -> dict[str, int]:
        """Instances by status; completed ones are counted up to 10,001."""
        return {row["status"]: row["n"] for row in await self.database.fetch("count_instances")}

    async def events(self, key: UUID, *, after: int = 0, limit: int = 10_000) -> builtins.list[EventView]:
        """The history behind a sequence number."""
        return [EventView(**dict(row)) for row in await self.database.fetch("events_of", key, after, limit)]

    async def inbox(self, key: UUID) -> builtins.list[dict[str, Any]]:
        """Messages that have not become history yet."""
        return [dict(row) for row in await self.database.fetch("inbox_of", key)]

    async def definitions(self, name: str | None = None) -> builtins.list[DefinitionView]:
        """What nodes have registered, newest version first."""
        return [
            DefinitionView(**dict(row))
            for row in await self.database.fetch("list_definitions", name, self._lease)
        ]

    async def nodes(self) -> builtins.list[NodeView]:
        """Live nodes and the latest ended ones, newest first."""
        return [NodeView(**dict(row)) for row in await self.database.fetch("list_nodes")]

    async def takeovers(self, dead: Iterable[int]) -> builtins.list[Takeover]:
        """Who went on with what these dead nodes (their fences) held."""
        return [Takeover(**dict(row)) for row in await self.database.fetch("takeovers", [*dead])]

    async def drain(self, fences: Sequence[int], grace: float | None = None) -> builtins.list[str]:
        """Tell live nodes to end; returns their names. `grace` is the seconds that their bodies have."""
        return [row["name"] for row in await self.database.fetch("drain_nodes", list(fences), grace)]

    async def register(self, definitions: Sequence[DefinitionView]) -> None:
        """Store what a node has; an older registration of the same name and version is replaced."""
        for d in definitions:
            await self.database.fetch(
                "register_definition", d.name, d.version, d.digest, d.input_schema, d.output_schema, d.doc, d.file,
                d.line, d.source, d.timeout,
            )  # fmt: skip


def _start(new: NewInstance) -> tuple[Any, ...]:
    return (
        new.key, new.id, new.definition, new.version, new.priority, new.created_by, new.input.decode(), new.digest,
        new.timeout,
    )  # fmt: skip
