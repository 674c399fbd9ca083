"""Migrated schemas for tests, each for one test at a time, and used again.

Making and dropping one costs a tenth of a second of processor time, clearing one a quarter of that. A cleared schema
is as it was made: files of no size, no statistics, sequences at their start, the rows that migrations put there. One in
which a test has changed anything but rows, or left somebody connected, is not used again; it goes with the database.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg

from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate

LEAVE: Final = 1.0
"""Seconds that backends have to end after their clients."""
# Whatever alters a row of the catalogues gives it another xmin, but for the sizes that ANALYZE notes.
_SHAPE: Final = """
    with ours as (select oid from pg_class where relnamespace = $1::regnamespace)
    select md5(string_agg(concat(kind, oid, ':', part, ':', xmin), ',' order by kind, oid, part)) from (
        select 'namespace' as kind, oid, 0 as part, xmin from pg_namespace where oid = $1::regnamespace
        union all select 'class', oid, 0, xmin from pg_class where relnamespace = $1::regnamespace
        union all select 'attribute', attrelid, attnum, xmin from pg_attribute where attrelid in (table ours)
        union all select 'default', oid, 0, xmin from pg_attrdef where adrelid in (table ours)
        union all select 'index', indexrelid, 0, xmin from pg_index where indrelid in (table ours)
        union all select 'constraint', oid, 0, xmin from pg_constraint where connamespace = $1::regnamespace
        union all select 'trigger', oid, 0, xmin from pg_trigger where tgrelid in (table ours)
        union all select 'type', oid, 0, xmin from pg_type where typnamespace = $1::regnamespace
        union all select 'function', oid, 0, xmin from pg_proc where pronamespace = $1::regnamespace
        union all select 'migration', null, number, xmin from {schema}.migrations
        union all select 'statistics', null, count(*), null from pg_stats where schemaname = $1::regnamespace::text
    ) as everything
"""
_TABLES: Final = """
    select oid::regclass::text from pg_class
    where relnamespace = $1::regnamespace and relkind = 'r' and relname <> 'migrations' and pg_relation_size(oid) > 0
    order by relname
"""
_SEQUENCES: Final = """
    select setval(seqrelid, seqstart, false) from pg_sequence
    where seqrelid in (select oid from pg_class where relnamespace = $1::regnamespace)
"""
_OTHERS: Final = """
    select pid, backend_start from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
"""

_numbers = itertools.count(1)
_spare: list[_Schema] = []
_strangers: set[tuple[object, ...]] = set()
"""Backends that were there already when a schema was last taken back, such as those of a node for all tests."""


@dataclass
class _Schema:
    name: str
    shape: str
    rows: dict[str, str]
    """Of each table that migrations fill: what they put there, as JSON."""


@asynccontextmanager
async def lent(dsn: str) -> AsyncIterator[str]:
    """The name of a schema of this release in the database, for one test, which leaves nobody in it.

    Who might leave something that nothing shows (a process without a connection that will come back) makes a schema of
    its own.
    """
    schema = _spare.pop() if _spare else await _made(dsn)
    yield schema.name
    connection = await asyncpg.connect(dsn)
    try:
        if await _is_left(connection) and await _shape(connection, schema.name) == schema.shape:
            await _clear(connection, schema)
            _spare.append(schema)
    except asyncpg.LockNotAvailableError:
        pass  # autovacuum, say
    finally:
        await connection.close()


async def _made(dsn: str) -> _Schema:
    name = f"lent{next(_numbers)}"
    await migrate(Address(dsn=dsn, schema=name))
    connection = await asyncpg.connect(dsn)
    try:
        tables = [row[0] for row in await connection.fetch(_TABLES, name)]
        rows = {
            table: await connection.fetchval(f"select json_agg(row)::text from {table} as row")
            for table in tables
        }
        return _Schema(name, await _shape(connection, name), rows)
    finally:
        await connection.close()


async def _is_left(connection: asyncpg.Connection) -> bool:
    """Whether everybody who came since the last look is gone; backends take a moment to end after their clients."""
    deadline = time.monotonic() + LEAVE
    while (there := {tuple(row) for row in await connection.fetch(_OTHERS)}) - _strangers:
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.005)
    came = there - _strangers
    _strangers.clear()
    _strangers.update(there)
    return not came


async def _shape(connection: asyncpg.Connection, name: str) -> str:
    found: str = await connection.fetchval(_SHAPE.replace("{schema}", name), name)
    return found


async def _clear(connection: asyncpg.Connection, schema: _Schema) -> None:
    async with connection.transaction():
        await connection.execute("set local lock_timeout = '1s'")
        if tables := [row[0] for row in await connection.fetch(_TABLES, schema.name)]:
            await connection.execute(f"truncate {', '.join(tables)}")
        await connection.execute(_SEQUENCES, schema.name)
        for table in schema.rows.keys() & set(tables):
            put = f"insert into {table} select * from json_populate_recordset(null::{table}, $1)"
            await connection.execute(put, schema.rows[table])
        schema.shape = await _shape(connection, schema.name)
