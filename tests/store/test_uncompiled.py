"""No statement of ours is compiled (jit), however the server is set up: it takes longer than running it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from orquestrax.core.store.database import Address, Database, connect
from orquestrax.core.store.fence import OPENING

ASK = "select current_setting('jit') as jit"


@pytest.fixture
async def compiling(address: Address) -> AsyncIterator[Address]:
    """A database that compiles what it takes for expensive, as one of a distribution does."""
    direct = await asyncpg.connect(address.dsn)
    name = await direct.fetchval("select quote_ident(current_database())")
    await direct.execute(f"alter database {name} set jit = on")
    fresh = await asyncpg.connect(address.dsn)
    assert await fresh.fetchval(ASK) == "on", "a connection of somebody else"
    await fresh.close()
    yield address
    await direct.execute(f"alter database {name} reset jit")
    await direct.close()


@pytest.mark.parametrize("prepared", [True, False])
async def test_neither_what_reads_nor_what_writes_is_compiled(compiling: Address, prepared: bool) -> None:
    """Behind a pooler too, where a connection has no settings of its own."""
    where = replace(compiling, prepared=prepared)
    database = Database(where)
    await database.open()
    assert (await database.query(ASK))[0]["jit"] == "off"
    await database.close()
    connection = await connect(where)
    assert await connection.fetchval(ASK) == "off"
    await connection.execute(OPENING.format(space=1, fence=1))
    assert await connection.fetchval(ASK) == "off", "within a transaction that writes"
    await connection.execute("rollback")
    await connection.close()
