"""Connections: how this package reaches PostgreSQL, with a deadline on everything.

Times cross this border as integer microseconds since the Unix epoch (a codec on every connection), so no datetime
is made on the hot path. Reads may be cancelled; what writes never is: a cancel during COMMIT can undo synchronous
replication, so a write that overruns its deadline has its socket cut and its outcome counts as unknown.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import asyncpg

from orquestrax.base.errors import DatabaseError, DatabaseUnreachable, SchemaMismatch
from orquestrax.core.store.pooler import PoolerConnection
from orquestrax.core.store.statements import quoted_schema, statement

T = TypeVar("T")
POSTGRES_EPOCH: Final = 946_684_800_000_000  # 2000-01-01 in microseconds since 1970
MINIMUM_VERSION: Final = 150_000
# A server compiles what it takes for expensive, and an estimate without statistics may be anything: on a server as
# Debian sets it up each look into an empty inbox was compiled, which took 180 to 350 ms.
UNCOMPILED: Final = {"jit": "off"}
# InternalClientError is what asyncpg raises on a connection to which the server has said FATAL meanwhile.
CONNECTION_LOST: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InternalClientError,
)


def visible(dsn: str) -> str:
    """The address without its password, for messages."""
    try:
        parts = urlsplit(dsn)
        password = parts.password
    except ValueError:
        return "the given address"
    shown = dsn.replace(f":{password}@", ":…@", 1) if password else dsn
    return re.sub(r"([?&]password=)[^&]*", r"\1…", shown)


# What comes of prepared statements and settings of the session where each transaction may have another backend.
_POOLED: Final = (
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.ProtocolViolationError,
)
_SENTENCES: Final[tuple[tuple[tuple[type[BaseException], ...], type[DatabaseError], str], ...]] = (
    (
        (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError),
        DatabaseError,
        "PostgreSQL at {where} refuses the user or password: {error}; check the database URL",
    ),
    (
        _POOLED,
        DatabaseError,
        "{where} leads to a pooler ({error}): set `prepared = false`, and `listen` to an address without it",
    ),
    (
        (asyncpg.InvalidCatalogNameError,),
        DatabaseError,
        "there is no such database at {where}: create it with `orquestrax db migrate`",
    ),
    (
        (asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError),
        DatabaseUnreachable,
        "PostgreSQL at {where} takes no connections now: {error}",
    ),
    (
        (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError),
        DatabaseUnreachable,
        (
            "the connection to PostgreSQL at {where} was lost ({error}): "
            "whether the statement under way took effect is not known"
        ),
    ),
    ((asyncpg.PostgresError,), DatabaseError, "PostgreSQL at {where} refuses the connection: {error}"),
    (
        (TimeoutError,),
        DatabaseUnreachable,
        "no PostgreSQL answered at {where} in time: is the host right, and reachable from here?",
    ),
    ((ValueError, asyncpg.InterfaceError), DatabaseError, "the database URL {where} cannot be used: {error}"),
)


def explain(dsn: str, error: BaseException) -> DatabaseError:
    """A connection failure as one sentence that says what to do: the first that fits."""
    where = visible(dsn)
    for kinds, made, sentence in _SENTENCES:
        if isinstance(error, kinds):
            return made(sentence.format(where=where, error=error))
    return DatabaseUnreachable(
        f"no PostgreSQL answers at {where} ({error}): start it, or correct the database URL"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Which database, which schema, and how long to wait for an answer (seconds).

    prepared  False behind a transaction pooler: nothing is kept from one transaction to the next
    listen    the address for LISTEN and NOTIFY, where `dsn` leads through a pooler
    hints     False: nobody is told of anything, and everybody looks once in a poll
    """

    dsn: str
    schema: str = "orquestrax"
    deadline: float = 10.0
    prepared: bool = True
    listen: str | None = None
    hints: bool = True

    def options(self, **server_settings: str) -> dict[str, Any]:
        """How asyncpg connects to it; a pooler refuses settings of the session but the application's name."""
        if self.prepared:
            return {"server_settings": server_settings}
        name = {"application_name": server_settings["application_name"]}
        return {"server_settings": name, "statement_cache_size": 0, "connection_class": PoolerConnection}

    @property
    def listening(self) -> Address | None:
        """Where hints are sent and heard; None if they are off, or could not come through the pooler."""
        if not self.hints or not (self.prepared or self.listen):
            return None
        return replace(self, dsn=self.listen or self.dsn, prepared=True, listen=None)


async def connect(
    address: Address, *, name: str = "orquestrax", settings: dict[str, str] | None = None
) -> asyncpg.Connection:
    """One connection with our codecs. Raises DatabaseUnreachable or DatabaseError with one sentence."""
    try:
        async with asyncio.timeout(address.deadline):
            connection = await asyncpg.connect(
                address.dsn,
                timeout=address.deadline,
                **address.options(application_name=name, **UNCOMPILED, **(settings or {})),
            )
            await prepare(connection)
    except (*CONNECTION_LOST, ValueError, TimeoutError, asyncpg.PostgresError) as error:
        raise explain(address.dsn, error) from error
    return connection


async def prepare(connection: asyncpg.Connection) -> None:
    """Times as microseconds, on this connection."""
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        format="tuple",
        encoder=lambda us: (us - POSTGRES_EPOCH,),
        decoder=lambda value: value[0] + POSTGRES_EPOCH,
    )


async def _as_it_was(_connection: asyncpg.Connection) -> None:
    """Our single statements leave nothing behind in a session: clearing it up would be a round trip after each."""


class Database:
    """A small pool for reads and for clients' single statements. Writes as a node go through `Fence`."""

    def __init__(self, address: Address, *, size: int = 4) -> None:
        self.address = address
        self.size = size
        self._pool: asyncpg.Pool | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Connect once, so that a wrong address is known now and not at the first statement."""
        (await connect(self.address)).terminate()
        self._pool = await asyncpg.create_pool(
            self.address.dsn,
            min_size=0,
            max_size=self.size,
            init=prepare,
            reset=_as_it_was,
            timeout=self.address.deadline,
            max_inactive_connection_lifetime=60,
            **self.address.options(
                application_name="orquestrax pool", plan_cache_mode="force_custom_plan", **UNCOMPILED
            ),
        )

    async def close(self) -> None:
        """Let go of all connections, at once; what still runs on them ends with an error that nobody waits for."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def sql(self, name: str) -> str:
        """The text of a statement for this schema."""
        return statement(self.address.schema, name)

    async def fetch(self, name: str, *arguments: Any) -> list[Any]:
        """Run sql/<name>.sql and return its rows."""
        return await self._run(lambda connection: connection.fetch(self.sql(name), *arguments))

    async def query(self, text: str, *arguments: Any) -> list[Any]:
        """Run a statement given as text."""
        return await self._run(lambda connection: connection.fetch(text, *arguments))

    async def lock_space(self) -> int:
        """The first key of this schema's advisory locks: its oid, moved into the range of an int4.

        Asked anew each time, because a reset makes a new schema of the same name.
        """
        space: int = (await self._about_schema())["space"]
        return space

    async def identity(self) -> str:
        """What tells this schema from every other one, on any server, as part of a file name."""
        row = await self._about_schema()
        return f"{row['server']}-{row['space'] + 2**31}"

    async def _about_schema(self) -> asyncpg.Record:
        rows = await self.query(
            "select (n.oid::bigint - 2147483648)::integer as space, s.system_identifier as server "
            "from pg_namespace as n, pg_control_system() as s where n.nspname = $1",
            self.address.schema,
        )
        if not rows:
            raise SchemaMismatch(
                f"the database has no schema {quoted_schema(self.address.schema)}: "
                "create it with `orquestrax db migrate`"
            )
        return rows[0]

    async def _run(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """One statement on a pooled connection, in a task of its own: a caller that is cancelled must not cancel it."""
        if self._pool is None:
            raise DatabaseError("the database connection is closed")
        task = asyncio.create_task(self._on_pool(self._pool, work))
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # somebody who was cancelled does not ask for it

    async def _on_pool(self, pool: asyncpg.Pool, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        try:
            async with pool.acquire(timeout=self.address.deadline) as connection:
                return await within(connection, work(connection), self.address.deadline)
        except (*CONNECTION_LOST, *_POOLED, TimeoutError, asyncpg.InvalidPasswordError) as error:
            raise explain(self.address.dsn, error) from error


async def within(connection: asyncpg.Connection, work: Awaitable[T], deadline: float) -> T:
    """Await `work`; cut the connection's socket when the deadline passes, never cancel the statement."""
    cut = asyncio.get_running_loop().call_later(deadline, connection.terminate)
    try:
        return await work
    finally:
        cut.cancel()
