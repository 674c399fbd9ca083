"""Transactions over psycopg, for coroutines and for threads."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any, Final

import psycopg

from orquestrax.core.store.conclusion import Asked, Rows
from orquestrax.core.store.database import Address

OPTIONS: Final = {"options": "-c client_connection_check_interval=1s"}
POOLED: Final = {
    "prepare_threshold": None
}  # a pooler refuses options, and ends the backend of who has gone by itself


class AsyncPsycopgSession:
    """The body is handed a `psycopg.AsyncConnection` in a transaction."""

    def __init__(self, address: Address, name: str, cls: Any) -> None:
        self._address, self._name, self._cls = address, name, cls
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def open(self, guard: Asked) -> psycopg.AsyncConnection[Any]:
        connection = await self._cls.connect(
            self._address.dsn, application_name=self._name, **(OPTIONS if self._address.prepared else POOLED)
        )
        self._connection = connection
        await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
        # Inside of this block psycopg refuses commit() and rollback(); it is left by closing the connection.
        self._block = connection.transaction()
        await self._block.__aenter__()
        await self.run(guard)
        return self._connection

    async def prepare(self) -> None:
        """It holds nothing back."""

    async def run(self, asked: Asked) -> Rows:
        assert self._connection is not None
        text, arguments = asked
        async with psycopg.AsyncRawCursor(self._connection) as cursor:
            await cursor.execute(text.encode(), arguments or None)
            return await cursor.fetchall() if arguments and cursor.description else []

    async def commit(self) -> str:
        assert self._connection is not None
        async with psycopg.AsyncRawCursor(self._connection) as cursor:
            await cursor.execute(b"commit")
            return cursor.statusmessage or ""

    def refused(self, error: BaseException) -> bool:
        return refused(error)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    def cut(self) -> None:
        if self._connection is not None:
            cut(self._connection)


class PsycopgSession:
    """The body is handed a `psycopg.Connection` in a transaction."""

    def __init__(self, address: Address, name: str, cls: Any) -> None:
        self._address, self._name, self._cls = address, name, cls
        self._connection: psycopg.Connection[Any] | None = None

    def open(self, guard: Asked) -> psycopg.Connection[Any]:
        self._connection = connection = connect(self._cls, self._address, self._name)
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        self._block = connection.transaction()  # as above
        self._block.__enter__()
        self.run(guard)
        return connection

    def prepare(self) -> None:
        """It holds nothing back."""

    def run(self, asked: Asked) -> Rows:
        return run(self._connection, asked)

    def commit(self) -> str:
        return commit(self._connection)

    def refused(self, error: BaseException) -> bool:
        return refused(error)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def cut(self) -> None:
        if self._connection is not None:
            cut(self._connection)


def connect(cls: Any, address: Address, name: str) -> psycopg.Connection[Any]:
    """A connection of the step's own."""
    connection: psycopg.Connection[Any] = cls.connect(
        address.dsn, application_name=name, **(OPTIONS if address.prepared else POOLED)
    )
    return connection


def run(connection: psycopg.Connection[Any] | None, asked: Asked) -> Rows:
    """One statement with arguments, or several without."""
    assert connection is not None
    text, arguments = asked
    with psycopg.RawCursor(connection) as cursor:
        cursor.execute(text.encode(), arguments or None)
        return cursor.fetchall() if arguments and cursor.description else []


def commit(connection: psycopg.Connection[Any] | None) -> str:
    """COMMIT, and its tag."""
    assert connection is not None
    with psycopg.RawCursor(connection) as cursor:
        cursor.execute(b"commit")
        return cursor.statusmessage or ""


def refused(error: BaseException) -> bool:
    """Whether the server has answered COMMIT with an error, and did not just go away (classes 08 and 57)."""
    state = getattr(error, "sqlstate", None)
    return isinstance(error, psycopg.Error) and state is not None and state[:2] not in ("08", "57")


def cut(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Shut the socket down: whoever waits for an answer gets an error, and the server rolls back."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
