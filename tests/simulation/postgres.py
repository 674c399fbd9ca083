"""The same statements on a real PostgreSQL: the twin that keeps the model honest.

`{schema}.now()` is replaced by a row that the simulation sets before each transaction, so virtual time is the
database's time. A loop in a thread of its own talks to the server; the simulation waits for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from orquestrax.core.store.database import Address, connect
from orquestrax.core.store.migrate import migrate
from orquestrax.core.store.statements import quoted_schema

T = TypeVar("T")
CLOCK = (
    "create table {schema}.simulated_clock (now timestamptz not null);"
    "insert into {schema}.simulated_clock values (now());"
    "create or replace function {schema}.now() returns timestamptz language sql stable parallel safe"
    " as $$ select now from {schema}.simulated_clock $$"
)


# Which of several that are due alike comes first is PostgreSQL's affair; here it is the one with the lesser key.
TIES = (
    ("order by t.lane, t.priority, t.available_at", ", t.instance, t.command"),
    ("priority, available_at)", ", instance, command)"),
    ("order by i.wake_at", ", i.key"),
    ("order by urgency.priority, found.wake_at", ", found.key"),
)


class Ordered:
    """A connection whose claims have an order among ties."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, text: str, *arguments: Any) -> Any:
        for order, further in TIES:
            text = text.replace(order, order.removesuffix(")") + further)
        return await self._connection.fetch(text, *arguments)


class PostgresDatabase:
    """The face of `model.database.Database`, over one connection."""

    def __init__(self, address: Address) -> None:
        self.schema, self._address = address.schema, address
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres twin")
        self._thread.start()
        self._connection = self._wait(self._opened())
        self._ordered = Ordered(self._connection)

    def run(self, now: int, work: Callable[[Any], Awaitable[T]], *, atomic: bool = False) -> T:
        """Do it at this time; what raises is rolled back."""
        return self._wait(self._transaction(now, work))

    def passes(self, fence: int) -> bool:
        """Whether this node is alive."""
        text = self._text("select status = 'alive' from {schema}.nodes where fence = $1")
        return bool(self._wait(self._connection.fetchval(text, fence)))

    def statuses(self) -> list[str]:
        """Of all instances."""
        rows = self._wait(self._connection.fetch(self._text("select status from {schema}.instances")))
        return [row["status"] for row in rows]

    def dump(self) -> dict[str, Any]:
        """All that is stored, as the model has it."""
        return self._wait(self._dumped())

    def leader(self) -> dict[str, Any]:
        """Who has the lead, and until when."""
        return self._wait(self._led())  # type: ignore[no-any-return]

    def close(self) -> None:
        """Drop the schema and end the thread."""
        self._wait(self._closed())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _text(self, text: str) -> str:
        return text.replace("{schema}", quoted_schema(self.schema))

    async def _opened(self) -> Any:
        await migrate(self._address)
        connection = await connect(self._address)
        await connection.execute(self._text(CLOCK))
        return connection

    async def _transaction(self, now: int, work: Callable[[Any], Awaitable[T]]) -> T:
        await self._connection.execute(self._text("update {schema}.simulated_clock set now = $1"), now)
        try:
            return await work(self._ordered)
        except Exception:
            if self._connection.is_in_transaction():
                await self._connection.execute("rollback")
            raise

    async def _dumped(self) -> dict[str, Any]:
        fetch = self._connection.fetch
        columns = "key, id, definition, version, status, owner, lane, priority, wake_at, mail, suspicion"
        more = "node, started_on, created_at, started_at, ended_at, deadline, created_by, digest, lost_owner"
        last = "lost_seq, suspect_of, state::text"
        payloads = "input::text, result::text, error::text, waits::text, blocked_by, blocked::text"
        rows = await fetch(
            self._text(f"select {columns}, {more}, {payloads}, {last} from {{schema}}.instances order by id")
        )
        events, inbox = dict[Any, list[Any]](), dict[Any, dict[int, Any]]()
        text = "select instance, seq, type, at, issued, trail, data::text from {schema}.events order by instance, seq"
        for row in await fetch(self._text(text)):
            events.setdefault(row["instance"], []).append({k: v for k, v in row.items() if k != "instance"})
        text = "select instance, number, kind, name, message, payload::text from {schema}.inbox order by 1, 2"
        for row in await fetch(self._text(text)):
            messages = inbox.setdefault(row["instance"], {})
            messages[row["number"]] = {k: v for k, v in row.items() if k != "instance"}
        tasks = await self._connection.fetchval(self._text("select count(*)::integer from {schema}.tasks"))
        return {"instances": [dict(row) for row in rows], "events": events, "inbox": inbox, "tasks": tasks}

    async def _led(self) -> dict[str, Any]:
        return dict(await self._connection.fetchrow(self._text("select fence, until from {schema}.leader")))

    async def _closed(self) -> None:
        await self._connection.execute(self._text("drop schema {schema} cascade"))
        await self._connection.close()
