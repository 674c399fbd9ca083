"""The engine's stores over the simulated wire: what they say to a connection elsewhere, they say to a `Line` here.

The verbs themselves are the real ones: the parsing of rows, a whole batch of the journal, a declaration of death.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from orquestrax.base.errors import DatabaseUnreachable, Fenced
from orquestrax.core.store.batch import BatchWriter
from orquestrax.core.store.database import CONNECTION_LOST
from orquestrax.core.store.deaths import Cause, _end_dead, _free
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.journalverbs import Found
from orquestrax.core.store.nodeverbs import NodeStore, _row
from orquestrax.core.store.statements import statement
from orquestrax.model.rows import InstanceRow, Verdict, Write
from tests.simulation.network import DEADLINE, Line

UPDATES = frozenset({"claim_due", "claim_orders", "claim_overdue", "clear_suspicion", "absolve"})


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
    return sorted(rows, key=lambda row: row["key"]) if name in UPDATES else rows


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

    async def fetch(self, name: str, *arguments: Any) -> list[Any]:
        line: Line = self._line()
        try:
            return await single(line, name, *arguments)
        except (*CONNECTION_LOST, TimeoutError) as error:
            raise DatabaseUnreachable(str(error)) from error
        finally:
            line.drop()


class SimulatedNodeStore(NodeStore):
    """The verbs of one incarnation."""

    def __init__(self, line: Line, fence: Fence) -> None:
        self._line, self.fence, self._turn = line, fence, asyncio.Lock()
        self._schema = line.server.database.schema

    async def owned(self) -> list[InstanceRow]:
        async def work(connection: Any) -> list[InstanceRow]:
            await self.fence.check(connection, self._schema)
            rows = await connection.fetch(self._sql("owned"), self.fence.number)
            return [_row(row) for row in sorted(rows, key=lambda row: row["key"])]

        rows: list[InstanceRow] = await self._exchange(
            lambda: fenced(self._line, self.fence, work, "owned", exclusive=True)
        )
        return rows

    def close(self) -> None:
        self._line.drop()

    def _sql(self, name: str) -> str:
        return statement(self._schema, name)

    async def _fenced(self, name: str, *arguments: Any) -> list[Any]:
        async def work(connection: Any) -> Any:
            return in_order(name, await connection.fetch(self._sql(name), self.fence.number, *arguments))

        return await self._exchange(lambda: fenced(self._line, self.fence, work, name))

    async def _read(self, name: str, *arguments: Any) -> list[Any]:
        return await self._exchange(lambda: single(self._line, name, *arguments))

    async def _exchange(self, asking: Any) -> list[Any]:
        async with self._turn:
            try:
                answer: list[Any] = await asking()
            except BaseException:
                self._line.drop()
                raise
            return answer


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

        work.batch = batch  # type: ignore[attr-defined]
        verdicts: list[Verdict] = await fenced(self._line, self.fence, work, "write")
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


async def sweep(line: Line) -> None:
    """Free what owners that are not alive still hold, as `deaths.sweep` does."""
    schema = line.server.database.schema
    for row in await single(line, "lost_owners"):
        fence = row["fence"]

        async def work(connection: Any, fence: int = fence) -> None:
            await _free(connection, fence, schema, counts=False)

        await fenced(line, Fence(0, fence), work, f"sweep {fence}", exclusive=True)


class Connection:
    """For services that are handed a connection for single statements."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def fetch(self, text: str, *arguments: Any) -> list[Any]:
        schema = self._line.server.database.schema
        name = next(name for name in ("heartbeat", "watch_nodes", "lead") if statement(schema, name) == text)
        return await single(self._line, name, *arguments)

    def is_closed(self) -> bool:
        return not self._line.open

    def terminate(self) -> None:
        self._line.drop()
