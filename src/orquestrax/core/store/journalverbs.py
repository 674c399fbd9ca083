"""What the journal asks of the database: write a batch, and read what became of one. Each verb is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from orquestrax.core.store.batch import BatchWriter, Miscount
from orquestrax.core.store.database import CONNECTION_LOST, Address, connect, within
from orquestrax.core.store.fence import Fence, RolledBack, commit
from orquestrax.core.store.statements import statement
from orquestrax.model.rows import Verdict, Write

REFUSED: Final = (asyncpg.PostgresError, asyncpg.DataError, Miscount, RolledBack)
"""What `write` raises where the database has answered; whether that undid it, `rolled_back` tells."""


class Found(NamedTuple):
    """What is stored of an instance: who owns it, and how far its history goes."""

    owner: int | None
    seq: int


class JournalStore:
    """The verbs of one lane over one held connection.

    A verb whose deadline passes has its socket cut. Every error of `write` but REFUSED leaves its outcome unknown; so
    does FenceHeld in effect: no write of the batch is at fault, so it is sent again, once the fence is to be had.
    """

    def __init__(self, address: Address, fence: Fence, name: str) -> None:
        self.fence, self.name, self.deadline = fence, name, address.deadline
        self._address = address
        self._writer: BatchWriter | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection, dead or alive."""
        return self._writer is not None

    async def connect(self) -> None:
        """Open a new connection. Raises DatabaseUnreachable or DatabaseError."""
        connection = await connect(self._address, name=f"orquestrax {self.name}")
        self._writer = BatchWriter(connection, self.fence, self._address.schema)

    async def write(self, batch: Sequence[Write]) -> list[Verdict]:
        """Commit the batch; a verdict for each write, in their order. Raises Fenced, and what `REFUSED` says."""
        writer = self._held()
        return await within(writer.connection, writer.write(batch), self.deadline)

    async def rolled_back(self) -> bool:
        """Whether a transaction that failed is certainly undone: the connection lives and says ROLLBACK."""
        if self._writer is None or self._writer.connection.is_closed():
            return False
        connection = self._writer.connection
        try:
            tag = await within(connection, connection.execute("rollback"), self.deadline)
            return bool(tag == "ROLLBACK")
        except (*CONNECTION_LOST, asyncpg.PostgresError):
            return False

    async def what_is_there(self, keys: Sequence[UUID]) -> dict[UUID, Found]:
        """What is stored of these instances, read while no other transaction of this node is open. Raises Fenced."""
        connection = self._held().connection
        return await within(connection, self._read(connection, list(keys)), self.deadline)

    def drop(self) -> None:
        """Cut the connection, at once."""
        if self._writer is not None:
            self._writer.connection.terminate()
            self._writer = None

    def _held(self) -> BatchWriter:
        if self._writer is None:
            raise asyncpg.InterfaceError(f"{self.name} has no connection")
        return self._writer

    async def _read(self, connection: asyncpg.Connection, keys: list[UUID]) -> dict[UUID, Found]:
        await self.fence.begin_exclusive(connection)
        await self.fence.check(connection, self._address.schema)
        rows = await connection.fetch(statement(self._address.schema, "last_events"), keys)
        await commit(connection)
        return {row["key"]: Found(row["owner"], row["seq"]) for row in rows}
