"""A schema that is lent again shows nothing of the test before."""

from __future__ import annotations

import asyncpg
import pytest

from orquestrax.core.store.database import Address
from tests.schemas import lent
from tests.store.support import Rig

WORK = """
    insert into {0}.progress (instance, command, attempt, node, told_at) values (gen_random_uuid(), 1, 1, 1, now());
    insert into {0}.logs (instance, at, total, level, attempt, node, logger, step, message)
        values (gen_random_uuid(), now(), 1, 1, 1, '', '', '', '');
    update {0}.leader set fence = 1, term = 7, until = now();
    delete from {0}.takeovers
"""
KEPT = {
    "rows": "select 1",
    "a table": "create table {0}.bookings ()",
    "a column": "alter table {0}.instances add column more text",
    "a storage parameter": "alter table {0}.events set (autovacuum_enabled = false)",
    "another time": "create or replace function {0}.now() returns timestamptz language sql return clock_timestamp()",
    "a migration": "insert into {0}.migrations values (9999, 'from the future')",
    "statistics": "analyze {0}.nodes",
}


async def everything(connection: asyncpg.Connection, schema: str) -> dict[str, object]:
    """Rows and size of each table, and where each sequence is; of the migrations only how many there are."""
    found: dict[str, object] = {}
    kinds = "select relname, relkind from pg_class where relnamespace = $1::regnamespace and relkind in ('r', 'S')"
    for name, kind in await connection.fetch(kinds, schema):
        rows = "''" if name == "migrations" else "json_agg(row)::text"
        whole = f"select count(*), {rows} from {schema}.{name} as row"
        size = "select pg_total_relation_size($1::regclass)"
        placed = f"select last_value, is_called from {schema}.{name}"
        found[name] = await connection.fetchrow(placed if kind == b"S" else whole)
        if kind == b"r" and name not in ("migrations", "leader"):
            found[f"size of {name}"] = await connection.fetchval(size, f"{schema}.{name}")
    return found


@pytest.fixture
async def connection(dsn: str):
    """One that was there before."""
    opened = await asyncpg.connect(dsn)
    async with lent(dsn):
        pass
    yield opened
    opened.terminate()


@pytest.mark.parametrize("change", KEPT)
async def test_only_what_is_as_it_was_made_is_lent_again(
    dsn: str, connection: asyncpg.Connection, change: str
) -> None:
    async with lent(dsn) as schema:
        before = await everything(connection, schema)
        async with Rig(Address(dsn=dsn, schema=schema)) as rig:
            await rig.send(await rig.owned(await rig.node()))
        await connection.execute(WORK.format(schema))
        await connection.execute(KEPT[change].format(schema))
        assert await everything(connection, schema) != before
    async with lent(dsn) as again:
        assert (again == schema) == (change == "rows")
        assert await everything(connection, again) == before


async def test_a_schema_in_which_somebody_is_left_is_not_lent_again(dsn: str) -> None:
    async with lent(dsn) as schema:
        left = await asyncpg.connect(dsn)
    async with lent(dsn) as again:
        assert again != schema
    left.terminate()
