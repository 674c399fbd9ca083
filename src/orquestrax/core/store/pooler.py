"""Connections that lead through a transaction pooler, such as pgbouncer: each transaction may get another backend.

So nothing may be expected to be there from one transaction to the next: no prepared statement, no setting of the
session. asyncpg sends a statement in two parts, so also a single one needs a transaction around it, or its two
parts could reach two backends. What begins a transaction by itself is left as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from orquestrax.core.store.fence import commit

T = TypeVar("T")


class PoolerConnection(asyncpg.Connection):  # type: ignore[misc]
    """As asyncpg's, but each statement outside of a transaction is one of its own, and none is kept prepared."""

    async def fetch(self, query: str, *args: Any, **options: Any) -> list[Any]:
        """The rows of a statement."""
        fetch = super().fetch
        return await self._whole(lambda: fetch(query, *args, **options))

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        """The first value of the first row, None without one."""
        fetchval = super().fetchval
        return await self._whole(lambda: fetchval(query, *args, **options))

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        """The first row, None without one."""
        fetchrow = super().fetchrow
        return await self._whole(lambda: fetchrow(query, *args, **options))

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """Run it; without arguments it is one message, and may be several statements."""
        execute = super().execute
        if not args:
            return str(await execute(query, **options))
        return await self._whole(lambda: execute(query, *args, **options))

    async def set_type_codec(self, *args: Any, **options: Any) -> None:
        """Asks the database about the type."""
        set_type_codec = super().set_type_codec
        await self._whole(lambda: set_type_codec(*args, **options))

    async def prepare(self, query: str, **options: Any) -> Any:
        """Something that looks like a prepared statement; use it within one transaction at a time."""
        prepare = super().prepare
        return Unprepared(lambda: prepare(query, **options))

    async def _whole(self, work: Callable[[], Awaitable[T]]) -> T:
        if self.is_in_transaction():
            return await work()
        await self.execute("begin; set local jit = off")  # see `fence.PLANS`
        try:
            result = await work()
        except BaseException:
            if not self.is_closed():
                await self.execute("rollback")
            raise
        await commit(self)
        return result


class Unprepared:
    """Prepared anew, without a name, each time that it is used."""

    def __init__(self, prepare: Callable[[], Awaitable[Any]]) -> None:
        self._prepare = prepare
        self._last: Any = None

    async def fetch(self, *args: Any) -> list[Any]:
        """The rows."""
        self._last = await self._prepare()
        return list(await self._last.fetch(*args))

    def get_statusmsg(self) -> str:
        """What the server said of the last use."""
        return str(self._last.get_statusmsg())
