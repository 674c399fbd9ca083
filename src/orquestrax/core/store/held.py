"""One connection that an incarnation holds, for verbs that take turns on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final

import asyncpg

from orquestrax.base import faultpoint
from orquestrax.core.store.database import Address, Database, connect
from orquestrax.core.store.fence import Fence, commit
from orquestrax.core.store.statements import statement

# Reads have no fence, but their plans are kept as those of writes are: see `fence.PLANS`.
NO_SCANS: Final = {"enable_seqscan": "off"}


class Held:
    """Every verb raises a connection error when the outcome is unknown; the next one begins with a new connection.

    `name` is how the server shows the connection.
    """

    name: ClassVar[str]

    def __init__(self, database: Database, fence: Fence) -> None:
        self._database, self.fence = database, fence
        self._address: Address = database.address
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()

    def close(self) -> None:
        """Let go of the connection, at once."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _sql(self, name: str) -> str:
        return statement(self._address.schema, name)

    async def _fenced(self, name: str, *arguments: Any) -> list[Any]:
        async with self._connected() as connection:
            await self.fence.begin(connection)
            rows = await connection.fetch(self._sql(name), self.fence.number, *arguments)
            if rows:  # else there is nothing to lose
                faultpoint.reach(f"{name}.before_commit")
            await commit(connection)
            if rows:
                faultpoint.reach(f"{name}.after_commit")
            return list(rows)

    async def _read(self, name: str, *arguments: Any) -> list[Any]:
        async with self._connected() as connection:
            return list(await connection.fetch(self._sql(name), *arguments))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        """The held connection, for one verb: cut when the verb overruns its deadline, dropped when it fails."""
        async with self._turn:
            if self._connection is None or self._connection.is_closed():
                self._connection = await connect(self._address, name=self.name, settings=NO_SCANS)
            connection = self._connection
            cut = asyncio.get_running_loop().call_later(self._address.deadline, connection.terminate)
            try:
                yield connection
            except BaseException:
                self.close()
                raise
            finally:
                cut.cancel()
