"""The engine's stores over the simulated wire: what they say to a connection elsewhere, they say to a `Line` here.

The verbs themselves are the real ones: the parsing of rows, a whole batch of the journal, a declaration of death.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from orquestrax.base.errors import DatabaseUnreachable, Fenced
from orquestrax.core.store.batch import BatchWriter
from orquestrax.core.store.database import CONNECTION_LOST, Address
from orquestrax.core.store.deaths import Cause, _end_dead, _free
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.held import Held
from orquestrax.core.store.journalverbs import Found
from orquestrax.core.store.nodeverbs import NodeStore
from orquestrax.core.store.statements import statement
from orquestrax.core.store.taskverbs import TaskStore
from orquestrax.model.jobs import BodyKey
from orquestrax.model.rows import InstanceRow, Verdict, Write
from orquestrax.model.tasks import TaskMessage
from tests.simulation.network import DEADLINE, Line

UPDATES = frozenset({"claim_due", "claim_orders", "claim_overdue", "clear_suspicion", "absolve"})
BY_INSTANCE = frozenset({"absolve_tasks"})
OF_TASKS = frozenset({"claim_tasks", "claim_failed", "complete_tasks", "held_tasks"})


async def fenced(line: Line, fence: Fence, work: Any, label: str, *, exclusive: bool = False) -> Any:
    """One transaction of a node: begin with the fence, then work and commit."""
    opening, number = Opening(line, fence.number, exclusive=exclusive), fence.number
    await (fence.begin_exclusive(opening) if exclusive else fence.begin(opening))
    return await line.ask(lambda session, reply: line.server.finish(session, number, work, label, reply))


class Opening:
    """A connection on which a transaction begins."""

    def __init__(self, line: Line, fence: int, *, exclusive: bool) -> None:
        self._line, self._fence, self._exclusive = line, fence, exclusive

    async def execute(self, _text: str) -> None:
        server, fence, exclusive = self._line.server, self._fence, self._exclusive
        await self._line.ask(
            lambda session, reply: server.begin(session, fence, exclusive=exclusive, reply=reply)
        )


def in_order(name: str, rows: list[Any]) -> list[Any]:
    """In which order an UPDATE returns its rows is PostgreSQL's affair; statements that have an order keep it."""
    if name in UPDATES:
        return sorted(rows, key=lambda row: row["key"])
    if name in BY_INSTANCE:
        return sorted(rows, key=lambda row: row["instance"])
    if name in OF_TASKS:
        return sorted(rows, key=lambda row: (row["instance"], row["command"], row["attempt"]))
    return rows


async def single(line: Line, name: str, *arguments: Any) -> list[Any]:
    """One statement, without the fence."""
    text = statement(line.server.database.schema, name)

    async def work(connection: Any) -> Any:
        return in_order(name, await connection.fetch(text, *arguments))

    label = f"{name} {arguments[0]}" if name == "heartbeat" else name
    found: list[Any] = await line.ask(lambda session, reply: reply(line.server.apply(session, work, label)))
    return found


class Pool:
    """The database as clients' stores ask it: each statement over a line of its own."""

    def __init__(self, line: Any) -> None:
        self._line = line
        self.address = Address(dsn="", schema="")

    async def fetch(self, name: str, *arguments: Any) -> list[Any]:
        line: Line = self._line()
        try:
            return await single(line, name, *arguments)
        except (*CONNECTION_LOST, TimeoutError) as error:
            raise DatabaseUnreachable(str(error)) from error
        finally:
            line.drop()


class Inside(Held):
    """The real verbs, within a transaction that is on the server already."""

    def __init__(self, connection: Any, fence: Fence, schema: str) -> None:
        self._given, self.fence, self._address = connection, fence, Address(dsn="", schema=schema)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        yield self._given


class NodeInside(Inside, NodeStore):
    """Of the claimer."""


class TasksInside(Inside, TaskStore):
    """Of who takes steps from the queues."""


class SimulatedHeld(Held):
    """Verbs of one incarnation that take turns on one line. `told` is what a transaction is about, for witnesses."""

    def __init__(self, line: Line, fence: Fence) -> None:
        self._line, self.fence, self._turn = line, fence, asyncio.Lock()
        self._schema = line.server.database.schema

    def close(self) -> None:
        self._line.drop()

    def _sql(self, name: str) -> str:
        return statement(self._schema, name)

    async def _fenced(self, name: str, *arguments: Any) -> list[Any]:
        async def work(connection: Any) -> Any:
            return in_order(name, await connection.fetch(self._sql(name), self.fence.number, *arguments))

        return await self._exchange(lambda: fenced(self._line, self.fence, About(work, arguments), name))

    async def _read(self, name: str, *arguments: Any) -> list[Any]:
        return await self._exchange(lambda: single(self._line, name, *arguments))

    async def _exchange(self, asking: Any) -> Any:
        async with self._turn:
            try:
                return await asking()
            except BaseException:
                self._line.drop()
                raise


class SimulatedNodeStore(SimulatedHeld, NodeStore):
    """The verbs of one incarnation's claimer."""

    async def owned(self) -> list[InstanceRow]:
        async def work(connection: Any) -> list[InstanceRow]:
            rows = await NodeInside(connection, self.fence, self._schema).owned()
            return sorted(rows, key=lambda row: row.key)

        rows: list[InstanceRow] = await self._exchange(
            lambda: fenced(self._line, self.fence, work, "owned", exclusive=True)
        )
        return rows

    async def release(self) -> None:
        async def work(connection: Any) -> bool:
            await NodeInside(connection, self.fence, self._schema).release()
            return True

        label = f"release {self.fence.number}"
        await self._exchange(lambda: fenced(self._line, self.fence, work, label, exclusive=True))


class SimulatedTaskStore(SimulatedHeld, TaskStore):
    """The verbs of who takes steps from the queues, or tells what came of them."""

    async def tell(self, messages: Sequence[TaskMessage]) -> dict[BodyKey, int | None]:
        async def work(connection: Any) -> list[tuple[BodyKey, int | None]]:
            heard = await TasksInside(connection, self.fence, self._schema).tell(messages)
            return sorted(heard.items())

        telling = About(work, messages)
        return dict(await self._exchange(lambda: fenced(self._line, self.fence, telling, "complete_tasks")))


class About:
    """The work of a transaction, and what it was asked for."""

    def __init__(self, work: Any, asked: Any) -> None:
        self._work, self.asked = work, asked

    async def __call__(self, connection: Any) -> Any:
        return await self._work(connection)


class SimulatedJournalStore:
    """The verbs of one lane of the journal."""

    def __init__(self, line: Line, fence: Fence, name: str) -> None:
        self._line, self.fence, self.name, self.deadline = line, fence, name, DEADLINE
        self._schema = line.server.database.schema

    @property
    def connected(self) -> bool:
        return self._line.open

    async def connect(self) -> None:
        try:
            await self._line.connect()
        except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
            raise DatabaseUnreachable(str(error)) from error

    async def write(self, batch: Sequence[Write]) -> list[Verdict]:
        async def work(connection: Any) -> list[Verdict]:
            return await BatchWriter(connection, self.fence, self._schema).write(batch)

        verdicts: list[Verdict] = await fenced(self._line, self.fence, About(work, batch), "write")
        return verdicts

    async def rolled_back(self) -> bool:
        """What failed has been undone by the server already; is the connection alive?"""
        try:
            await self._line.ask(lambda _session, reply: reply(None))
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    async def what_is_there(self, keys: Sequence[UUID]) -> dict[UUID, Found]:
        async def work(connection: Any) -> dict[UUID, Found]:
            if not await connection.fetchval(statement(self._schema, "is_alive"), self.fence.number):
                raise Fenced(f"node {self.fence.number} was declared dead")
            rows = await connection.fetch(statement(self._schema, "last_events"), list(keys))
            return {row["key"]: Found(row["owner"], row["seq"]) for row in rows}

        found: dict[UUID, Found] = await fenced(self._line, self.fence, work, "what_is_there", exclusive=True)
        return found

    def drop(self) -> None:
        self._line.drop()


async def declare(
    line: Line, fence: int, heartbeat: int | None, by: int, cause: Cause, *, counts: bool
) -> Any:
    """Declare a node dead, as `deaths.declare_dead` does."""
    schema = line.server.database.schema

    async def work(connection: Any) -> Any:
        return await _end_dead(connection, fence, schema, (heartbeat, by, cause), counts)

    while True:
        try:
            return await fenced(line, Fence(0, fence), work, f"declare {fence} {cause}", exclusive=True)
        except asyncpg.LockNotAvailableError:
            await line.ask(lambda _session, reply: reply(line.server.end_idle_holders(fence)))


async def sweep(line: Line) -> int:
    """Free what owners that are not alive still hold, as `deaths.sweep` does; returns how many there were."""
    schema = line.server.database.schema
    lost = await single(line, "lost_owners")
    for row in lost:
        fence = row["fence"]

        async def work(connection: Any, fence: int = fence) -> None:
            await _free(connection, fence, schema, counts=False)

        await fenced(line, Fence(0, fence), work, f"sweep {fence}", exclusive=True)
    return len(lost)


class Connection:
    """For services that are handed a connection for single statements."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def fetch(self, text: str, *arguments: Any) -> list[Any]:
        schema = self._line.server.database.schema
        name = next(name for name in ("heartbeat", "watch_nodes", "lead") if statement(schema, name) == text)
        try:
            return await single(self._line, name, *arguments)
        except CONNECTION_LOST:
            self._line.drop()
            raise

    def is_closed(self) -> bool:
        return not self._line.open

    def terminate(self) -> None:
        self._line.drop()
