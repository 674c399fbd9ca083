"""Behind a transaction pooler everything holds: with hints over a direct address, and without any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

import orquestrax as ox
from orquestrax.client.client import Client
from orquestrax.core.store.database import Address, Database
from orquestrax.core.store.migrate import migrate
from orquestrax.node import EngineOptions, Node
from orquestrax.settings import Settings
from tests.checker import check_instance
from tests.engine.until import until_status
from tests.faults.pgbouncer import PgBouncer

pytestmark = pytest.mark.verify


@ox.step
async def double(n: int) -> int:
    return n * 2


@ox.step(transactional=True)
async def book(n: int, tx: asyncpg.Connection = ox.transaction()) -> int:
    return await tx.fetchval("insert into pooled (n) values ($1) returning n", n)


@ox.workflow
async def many(count: int) -> int:
    return sum(await asyncio.gather(*(double(n) for n in range(count))))


@ox.workflow
async def all_sorts(n: int) -> int:
    doubled = await double(n)
    await asyncio.sleep(0.05)
    return await book(doubled) + await ox.receive("more", int)


@ox.workflow
async def forever() -> None:
    await ox.receive("never", int)


WORKFLOWS = {w.name: w for w in (many, all_sorts, forever)}


@pytest.fixture
def bouncer(dsn: str, tmp_path: Path) -> Iterator[PgBouncer]:
    started = PgBouncer(dsn, tmp_path)
    yield started
    started.stop()


@pytest.fixture(params=["direct", "none"])
async def settings(
    request: pytest.FixtureRequest, dsn: str, bouncer: PgBouncer, tmp_path: Path
) -> AsyncIterator[Settings]:
    """Behind the pooler, with an address for LISTEN, and without."""
    namespace = f"pooled_{request.param}"
    await migrate(Address(dsn=bouncer.dsn, schema=namespace, prepared=False))
    direct = await asyncpg.connect(dsn)
    await direct.execute("drop table if exists pooled; create table pooled (n integer)")
    yield Settings(
        database=bouncer.dsn,
        namespace=namespace,
        home=tmp_path,
        prepared=False,
        listen=dsn if request.param == "direct" else None,
    )
    await direct.execute(f"drop schema {namespace} cascade; drop table pooled")
    await direct.close()


async def test_I21_everything_holds_behind_a_transaction_pooler(settings: Settings) -> None:
    """Starts, fan-out, transactional steps, timers, signals, pause, cancel, terminate, and a node that takes over."""
    options = EngineOptions(poll=0.2, park_after=0.01)
    nodes = [Node(settings, WORKFLOWS, options=options, migrates=False) for _ in range(2)]
    clients = [await node.start() for node in nodes]
    outside = Node(settings, {}, roles=(), migrates=False)
    client = await outside.start()
    try:
        await _use(client, clients)
        runs = [await clients[0].start(all_sorts, n, id=f"s{n}") for n in range(20)]
        old = nodes.pop(0)
        await old.stop(grace=5)
        runs = [await client.get(run.id, all_sorts) for run in runs]
        await asyncio.gather(*(run.signal("more", 1) for run in runs))
        assert await asyncio.gather(*(run.result(30) for run in runs)) == [2 * n + 1 for n in range(20)]
        for run in runs:
            await check_instance(client, all_sorts, run.id)
    finally:
        for node in [outside, *nodes]:
            await node.stop(grace=0)


async def _use(client: Client, engines: list[Client]) -> None:
    runs = [await one.start(many, 300, id=f"m{n}") for n, one in enumerate([client, *engines])]
    assert [await run.result(30) for run in runs] == [2 * sum(range(300))] * 3
    for order, ending in (("cancel", ox.WorkflowCancelled), ("terminate", ox.WorkflowTerminated)):
        run = await client.start(forever, id=order)
        await until_status(run, "waiting")
        await run.pause()
        await until_status(run, "paused")
        await getattr(run, order)("enough")
        with pytest.raises(ending):
            await run.result(20)


async def test_with_prepared_statements_it_says_what_is_wrong(bouncer: PgBouncer) -> None:
    """The setting that is missing is named."""
    address = Address(dsn=bouncer.dsn, schema="pooled_wrong")
    await migrate(replace(address, prepared=False))
    with pytest.raises(ox.DatabaseError, match="set `prepared = false`, and `listen`"):
        await Database(address).open()
