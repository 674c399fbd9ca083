"""Migrated schemas for tests, each for one test at a time, and used again.

Making one costs a tenth of a second of processor time, emptying one a hundredth. What a test has changed in it
beside rows, filled to a size, or left something running in, is not used again; it goes with the database.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate

MANY: Final = 500
"""Rows that are not worth deleting."""
_TABLES: Final = """
    select format('%s.%I', $1::regnamespace, relname) from pg_class
    where relnamespace = $1::regnamespace and relkind = 'r' and relname <> 'migrations' order by relname
"""
_SHAPE: Final = """
    select md5(concat(
        (select string_agg(concat(c.oid, c.relname, c.relpersistence, c.reloptions), ',' order by c.oid)
         from pg_class as c where relnamespace = $1::regnamespace),
        (select string_agg(concat(p.oid, p.provolatile, p.prosrc), ',' order by p.oid)
         from pg_proc as p where pronamespace = $1::regnamespace),
        (select string_agg(concat(t.oid, t.tgrelid), ',' order by t.oid)
         from pg_trigger as t join pg_class as c on c.oid = tgrelid where relnamespace = $1::regnamespace),
        (select string_agg(concat(d.oid, d.conrelid), ',' order by d.oid)
         from pg_constraint as d where connamespace = $1::regnamespace)))
"""
_BUSY: Final = """
    select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
"""

_numbers = itertools.count(1)
_shapes: dict[str, str] = {}
_spare: list[str] = []


@asynccontextmanager
async def lent(dsn: str) -> AsyncIterator[str]:
    """The name of a schema of this release in the database, without rows; fences in it may have been given before."""
    name = _spare.pop() if _spare else await _made(dsn)
    yield name
    if await _emptied(dsn, name):
        _spare.append(name)


async def _made(dsn: str) -> str:
    name = f"lent{next(_numbers)}"
    await migrate(Address(dsn=dsn, schema=name))
    connection = await asyncpg.connect(dsn)
    try:
        _shapes[name] = await connection.fetchval(_SHAPE, name)
    finally:
        await connection.close()
    return name


async def _emptied(dsn: str, name: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval(_BUSY) or await connection.fetchval(_SHAPE, name) != _shapes[name]:
            return False
        tables = [row[0] for row in await connection.fetch(_TABLES, name)]
        counts = " + ".join(
            f"(select count(*) from (select from {table} limit {MANY}) as few)" for table in tables
        )
        if await connection.fetchval(f"select {counts}") >= MANY:
            return False
        await connection.execute("; ".join(f"delete from {table}" for table in tables))
        return True
    finally:
        await connection.close()
