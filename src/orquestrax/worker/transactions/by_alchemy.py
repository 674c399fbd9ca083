"""Transactions over SQLAlchemy: coroutines over asyncpg, threads over psycopg.

A session joins the transaction through a savepoint, so that its own `commit()` and `rollback()` end just that.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from orquestrax.core.store.conclusion import Asked, Rows
from orquestrax.core.store.database import Address
from orquestrax.worker.transactions import by_asyncpg, by_psycopg

ISOLATION: Final = "READ COMMITTED"
JOINING: Final = "create_savepoint"


class AsyncAlchemySession:
    """The body is handed an `AsyncSession` or an `AsyncConnection`."""

    def __init__(self, address: Address, name: str, cls: Any) -> None:
        self._address, self._name, self._cls = address, name, cls
        self._connection: AsyncConnection | None = None
        self._handed: Any = None
        self._raw: Any = None

    async def open(self, guard: Asked) -> Any:
        async def connect() -> Any:
            self._raw = await by_asyncpg.connect(self._address, self._name)
            return self._raw

        engine = create_async_engine(
            "postgresql+asyncpg://", async_creator=connect, poolclass=NullPool, isolation_level=ISOLATION
        )
        self._connection = connection = await engine.connect()
        await connection.begin()
        await connection.exec_driver_sql("select 1")  # the adapter begins with the first statement
        await self.run(guard)
        self._handed = connection
        if not issubclass(self._cls, AsyncConnection):
            self._handed = self._cls(bind=connection, join_transaction_mode=JOINING)
        return self._handed

    async def prepare(self) -> None:
        if self._handed is not self._connection:
            await self._handed.commit()
            await self._handed.close()

    async def run(self, asked: Asked) -> Rows:
        return await by_asyncpg.run(self._raw, asked)

    async def commit(self) -> str:
        return str(await self._raw.execute("commit"))

    def refused(self, error: BaseException) -> bool:
        return by_asyncpg.refused(error)

    async def close(self) -> None:
        """The adapter is let go of first: it knows nothing of our COMMIT."""
        if self._raw is not None:
            await by_asyncpg.close(self._raw)
        if self._connection is not None:
            await self._connection.invalidate()
            await self._connection.close()

    def cut(self) -> None:
        if self._raw is not None:
            self._raw.terminate()


class AlchemySession:
    """The body is handed a `Session` or a `Connection`."""

    def __init__(self, address: Address, name: str, cls: Any) -> None:
        self._address, self._name, self._cls = address, name, cls
        self._connection: Connection | None = None
        self._handed: Session | Connection | None = None
        self._raw: psycopg.Connection[Any] | None = None

    def open(self, guard: Asked) -> Session | Connection:
        def connect() -> Any:
            self._raw = by_psycopg.connect(psycopg.Connection, self._address, self._name)
            return self._raw

        engine = create_engine(
            "postgresql+psycopg://", creator=connect, poolclass=NullPool, isolation_level=ISOLATION
        )
        self._connection = connection = engine.connect()
        connection.begin()
        self.run(guard)
        self._handed = handed = connection
        if not issubclass(self._cls, Connection):
            self._handed = handed = self._cls(bind=connection, join_transaction_mode=JOINING)
        return handed

    def prepare(self) -> None:
        if isinstance(self._handed, Session):
            self._handed.commit()
            self._handed.close()

    def run(self, asked: Asked) -> Rows:
        return by_psycopg.run(self._raw, asked)

    def commit(self) -> str:
        return by_psycopg.commit(self._raw)

    def refused(self, error: BaseException) -> bool:
        return by_psycopg.refused(error)

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()

    def cut(self) -> None:
        if self._raw is not None:
            by_psycopg.cut(self._raw)
