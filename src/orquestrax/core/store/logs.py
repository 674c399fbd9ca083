"""What instances have logged: read by pages of a key, written in batches off the engine's way.

Best effort: nothing here is fenced, waits for the disk or is part of the engine's transactions. A number is given to
each record as it arrives; records of several nodes may arrive a little out of the order of their times, and one with
a lower number a moment after one with a higher.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from orquestrax.core.store.database import Address, Database, connect, within
from orquestrax.core.store.statements import statement

MOST_BYTES: Final = 1_000_000  # of one instance
FINDINGS: Final = "orquestrax.findings"  # the logger of what a replay after the end has found
UNSYNCED: Final = {"synchronous_commit": "off"}


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A record to be written; `at` in µs by the database's clock, `size` in bytes of text."""

    instance: UUID
    at: int
    level: int
    attempt: int
    logger: str
    step: str
    message: str
    trace: str | None
    size: int


class LogView(msgspec.Struct, frozen=True, kw_only=True):
    """A record as people see it.

    number   the order of arrival; pages go by it
    at       when it was made, in µs by the database's clock
    level    as in `logging`: 20 is INFO
    step     name of the step, "" for the workflow itself; `attempt` is 0 there
    node     name of the node that ran the code
    trace    the traceback of an exception, None if there was none
    """

    number: int
    at: int
    level: int
    attempt: int
    node: str
    logger: str
    step: str
    message: str
    trace: str | None


class LogStore:
    """Reads over a pool."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(
        self, key: UUID, *, after: int = 0, level: int = 0, step: str | None = None, limit: int = 1_000
    ) -> list[LogView]:
        """Records behind a number, oldest first; of this level and above, of one step if it is named."""
        return await self._read("logs_of", key, after, level, step, limit)

    async def tail(
        self, key: UUID, *, after: int = 0, level: int = 0, step: str | None = None, limit: int = 1_000
    ) -> list[LogView]:
        """As `of`, but the newest where there are too many."""
        return await self._read("logs_tail", key, after, level, step, limit)

    async def steps(self, key: UUID) -> list[str]:
        """The steps that have logged, "" for the workflow itself."""
        return [row["step"] for row in await self._database.fetch("logging_steps", key)]

    async def findings(self, keys: Sequence[UUID]) -> dict[UUID, str]:
        """What a replay after the end has found about these instances; nothing of those that are sound."""
        rows = await self._database.fetch("findings_of", list(keys), FINDINGS) if keys else ()
        return {row["instance"]: row["message"] for row in rows}

    async def _read(self, name: str, *arguments: object) -> list[LogView]:
        return [LogView(**dict(row)) for row in await self._database.fetch(name, *arguments)]


class LogWriter:
    """Writes over a connection of its own, opened when there is something to write."""

    def __init__(self, address: Address, node: str) -> None:
        self._address, self._node = address, node
        self._connection: asyncpg.Connection | None = None

    async def write(self, lines: Sequence[LogLine]) -> dict[UUID, bool]:
        """Write records of instances that are there; returns those, and whether they take no more.

        After an error nothing is known; the next batch begins with a new connection.
        """
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._address, name="orquestrax logs", settings=UNSYNCED)
        columns = [[getattr(line, name) for line in lines] for name in LogLine.__struct_fields__]
        text = statement(self._address.schema, "insert_logs")
        writing = self._connection.fetch(text, *columns, self._node, MOST_BYTES)
        try:
            rows = await within(self._connection, writing, self._address.deadline)
        except BaseException:
            self.close()
            raise
        return {row["instance"]: row["full"] for row in rows}

    def close(self) -> None:
        """Let go of the connection, at once."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
