"""Transactions over asyncpg."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from orquestrax.core.store.conclusion import Asked, Rows
from orquestrax.core.store.database import CONNECTION_LOST, Address

CLOSING: Final = 5.0  # seconds for saying goodbye to the server


class AsyncpgSession:
    """The body is handed an `asyncpg.Connection` in a transaction."""

    def __init__(self, address: Address, name: str, _cls: Any) -> None:
        self._address, self._name = address, name
        self._connection: asyncpg.Connection | None = None

    async def open(self, guard: Asked) -> asyncpg.Connection:
        self._connection = connection = await connect(self._address, self._name)
        await connection.transaction(isolation="read_committed").start()
        await self.run(guard)
        return connection

    async def prepare(self) -> None:
        """It holds nothing back."""

    async def run(self, asked: Asked) -> Rows:
        return await run(self._connection, asked)

    async def commit(self) -> str:
        assert self._connection is not None
        return str(await self._connection.execute("commit"))

    def refused(self, error: BaseException) -> bool:
        return refused(error)

    async def close(self) -> None:
        if self._connection is not None:
            await close(self._connection)

    def cut(self) -> None:
        if self._connection is not None:
            self._connection.terminate()


async def connect(address: Address, name: str) -> asyncpg.Connection:
    """A connection of the step's own."""
    options = address.options(application_name=name, client_connection_check_interval="1s")
    return await asyncpg.connect(address.dsn, **options)


async def run(connection: asyncpg.Connection | None, asked: Asked) -> Rows:
    """One statement with arguments, or several without."""
    assert connection is not None
    text, arguments = asked
    if arguments:
        return list(await connection.fetch(text, *arguments))
    await connection.execute(text)
    return []


def refused(error: BaseException) -> bool:
    """Whether the server has answered COMMIT with an error, and did not just go away."""
    return isinstance(error, asyncpg.PostgresError) and not isinstance(error, CONNECTION_LOST)


async def close(connection: asyncpg.Connection) -> None:
    """Also while a statement that was cancelled is still running."""
    try:
        await connection.close(timeout=CLOSING)
    except (*CONNECTION_LOST, TimeoutError, asyncpg.PostgresError):
        connection.terminate()
