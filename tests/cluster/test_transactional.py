"""Transactional steps on another node than their instance's: I9 holds there, too."""

from __future__ import annotations

import asyncio

import asyncpg
import psycopg
import pytest

import orquestrax as ox
from orquestrax import Retry
from orquestrax.base import faultpoint
from tests.checker import check_instance
from tests.cluster.conftest import Cluster


@ox.step(transactional=True)
async def book(what: str, tx: asyncpg.Connection = ox.transaction()) -> int:
    await tx.execute("insert into booked (what) values ($1)", what)
    return int(await tx.fetchval("select count(*) from booked"))


@ox.step(transactional=True, retry=Retry(attempts=2, initial=0.01))
def book_in_a_thread(what: str, tx: psycopg.Connection = ox.transaction()) -> int:
    tx.execute("insert into booked (what) values (%s)", [what])
    if ox.step_info().attempt == 1:
        raise ValueError("rolled back")
    return ox.step_info().attempt


@ox.workflow
async def books(what: str) -> list[int]:
    return [await book(what), await book_in_a_thread(what)]


@pytest.fixture
async def booking(cluster: Cluster) -> Cluster:
    await cluster.query("drop table if exists booked")
    await cluster.query("create table booked (what text not null)")
    return cluster


async def test_I9_it_takes_effect_once_elsewhere(booking: Cluster) -> None:
    client = await booking.join(books, roles="engine")
    await booking.join(books, roles="worker")
    assert await (await client.start(books, "x", id="x")).result(20) == [1, 2]
    assert len(await booking.query("select from booked")) == 2
    assert await booking.tasks() == []
    await check_instance(client, books, "x")


@ox.workflow
async def one(what: str) -> int:
    return await book(what)


@pytest.mark.parametrize("boundary", ["transaction.before_commit", "transaction.after_commit"])
async def test_I9_killed_at_its_commit_it_still_takes_effect_once(booking: Cluster, boundary: str) -> None:
    client = await booking.join(one, roles="engine")
    await booking.join(one, roles="worker")
    lost = asyncio.Event()

    def stop_there(name: str) -> None:
        if name == boundary and not lost.is_set():
            incarnation = booking.nodes[1].incarnation
            assert incarnation is not None
            incarnation.abandon()
            lost.set()
            raise ConnectionError(name)

    with faultpoint.armed(stop_there):
        run = await client.start(one, "x", id="x")
        async with asyncio.timeout(20):
            await lost.wait()
    await booking.crash()
    await booking.join(one, roles="worker")
    assert await run.result(20) == 1
    assert len(await booking.query("select from booked")) == 1
    await check_instance(client, one, "x")
