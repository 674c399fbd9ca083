"""I9 where it is hard: commits of unknown outcome, and nodes that were declared dead."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

import orquestrax as ox
from orquestrax import Retry
from orquestrax.base import faultpoint
from orquestrax.base.errors import Fenced
from orquestrax.core.store import conclusion as concluding
from orquestrax.core.store.conclusion import Conclusion
from orquestrax.core.store.database import CONNECTION_LOST
from orquestrax.core.store.deaths import declare_dead
from orquestrax.model import events
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.store.proxy import How, Proxy, at_commit

INSERT = "insert into bookings (what) values ('booked')"
TWICE = Retry(attempts=2, initial=0.01)
bodies: Counter[str] = Counter()


@pytest.fixture
async def rig(bench: Bench) -> Bench:
    """A table of the user's own, in the same database."""
    await bench.query("drop table if exists bookings")
    await bench.query("create table bookings (id serial primary key, what text not null)")
    bodies.clear()
    return bench


@pytest.fixture
async def proxied(rig: Bench) -> AsyncIterator[tuple[Bench, Proxy]]:
    """Its nodes reach the database through a proxy."""
    async with Proxy(rig.address) as proxy:
        behind = replace(rig, dsn=proxy.address.dsn)
        yield behind, proxy
        for node in reversed(behind.nodes):
            await node.stop(grace=0)
        behind.nodes.clear()


@ox.step(transactional=True, retry=TWICE)
async def over_asyncpg(tx: asyncpg.Connection = ox.transaction()) -> int:
    bodies["ran"] += 1
    await tx.execute(INSERT)
    return bodies["ran"]


@ox.step(transactional=True, retry=TWICE)
async def over_async_psycopg(tx: psycopg.AsyncConnection = ox.transaction()) -> int:
    bodies["ran"] += 1
    await tx.execute(INSERT)
    return bodies["ran"]


@ox.step(transactional=True, retry=TWICE)
def over_psycopg(tx: psycopg.Connection = ox.transaction()) -> int:
    bodies["ran"] += 1
    tx.execute(INSERT)
    return bodies["ran"]


@ox.step(transactional=True, retry=TWICE)
async def over_async_session(tx: AsyncSession = ox.transaction()) -> int:
    bodies["ran"] += 1
    await tx.execute(sqlalchemy.text(INSERT))
    return bodies["ran"]


@ox.step(transactional=True, retry=TWICE)
def over_session(tx: Session = ox.transaction()) -> int:
    bodies["ran"] += 1
    tx.execute(sqlalchemy.text(INSERT))
    return bodies["ran"]


ALL = {
    step.name: step
    for step in (over_asyncpg, over_async_psycopg, over_psycopg, over_async_session, over_session)
}


NAMES = [
    name if name in ("over_asyncpg", "over_session") else pytest.param(name, marks=pytest.mark.verify)
    for name in ALL
]


@ox.workflow
async def books(name: str) -> int:
    return await ALL[name]()


async def booked(rig: Bench) -> int:
    return (await rig.query("select count(*) as n from bookings"))[0]["n"]


@pytest.mark.parametrize("how", ["before", "after", "hold"])
@pytest.mark.parametrize("name", NAMES)
async def test_I5_I9_a_commit_of_unknown_outcome_is_looked_up(
    proxied: tuple[Bench, Proxy], name: str, how: How
) -> None:
    rig, proxy = proxied
    client = await rig.node(books)
    fault = proxy.fault(at_commit(how, on=b"orquestrax step"))
    run = await client.start(books, name, id="u")
    async with asyncio.timeout(20):
        await fault.struck.wait()
    if how == "hold":
        await asyncio.sleep(0.3)
        assert (await run.status()).status in ("running", "waiting"), "nothing is known before it has ended"
        fault.released.set()
    ran = 2 if how == "before" else 1
    assert await run.result(20) == ran
    assert (bodies["ran"], await booked(rig)) == (ran, 1)
    history = await check_instance(client, books, "u")
    assert sum(event.type == events.STEP_RETRYING for event in history) == ran - 1


@ox.step(transactional=True)
async def holds(tx: asyncpg.Connection = ox.transaction()) -> None:
    bodies["held"] += 1
    await tx.execute(INSERT)
    await asyncio.sleep(3600)


@ox.workflow
async def is_held() -> None:
    await holds()


async def _drive(connection: asyncpg.Connection, conclusion: Conclusion) -> None:
    steps = conclusion.conclude('{"command": 1}')
    text, arguments = next(steps)
    while True:
        rows = await connection.fetch(text, *arguments) if arguments else await connection.execute(text)
        try:
            text, arguments = steps.send(rows)
        except StopIteration:
            return


async def _open(rig: Bench) -> tuple[asyncpg.Connection, Conclusion]:
    """A transaction of a step as a node opens it, which no declaration ends: say, behind a pooler."""
    node = rig.nodes[-1]
    assert node.incarnation is not None
    view = await node.client.view("z")
    conclusion = Conclusion(node.incarnation.fence, rig.namespace, view.key, 1, "holds")
    connection = await asyncpg.connect(rig.dsn)
    await connection.transaction().start()
    text, arguments = conclusion.guard()
    await connection.execute(text, *arguments)
    await connection.execute(INSERT)
    return connection, conclusion


async def _start_held(rig: Bench) -> None:
    client = await rig.node(is_held)
    await client.start(is_held, id="z")
    async with asyncio.timeout(20):
        while not bodies["held"]:
            await asyncio.sleep(0.01)


async def test_I4_I9_a_node_that_was_declared_dead_commits_no_step(rig: Bench) -> None:
    await _start_held(rig)
    connection, conclusion = await _open(rig)
    fence = conclusion._fence
    assert await declare_dead(rig.address, fence.space, fence.number, None)
    with pytest.raises(Fenced, match="step 'holds' is not this node's any more"):
        await _drive(connection, conclusion)
    await connection.close()
    assert await booked(rig) == 0
    assert await rig.query("select from {schema}.inbox") == []


async def test_I23_a_declaration_ends_what_steps_have_open(rig: Bench) -> None:
    """A node that is frozen closes nothing itself, and its step may have locked what its successor needs."""
    await _start_held(rig)
    incarnation = rig.nodes[-1].incarnation
    assert incarnation is not None
    fence = incarnation.fence
    frozen = await asyncpg.connect(rig.dsn, server_settings={"application_name": fence.steps_name})
    await frozen.execute("begin")
    await frozen.execute("lock table bookings in row exclusive mode")  # as who has written to it
    assert await declare_dead(rig.address, fence.space, fence.number, None)
    with pytest.raises(CONNECTION_LOST):
        await frozen.fetch("select 1")
    frozen.terminate()


async def test_I4_I9_a_declaration_waits_for_a_step_that_commits(rig: Bench) -> None:
    await _start_held(rig)
    connection, conclusion = await _open(rig)
    fence = conclusion._fence
    await _drive(connection, conclusion)
    locks = "select from pg_locks where pid = $1 and locktype = 'advisory' and mode = 'ShareLock' and granted"
    assert len(await rig.query(locks, connection.get_server_pid())) == 1
    declaring = asyncio.create_task(declare_dead(rig.address, fence.space, fence.number, None))
    waiting = "select from pg_locks where locktype = 'advisory' and not granted"
    async with asyncio.timeout(20):
        while not await rig.query(waiting):
            await asyncio.sleep(0.01)
    await connection.execute("commit")
    assert await declaring
    await connection.close()
    assert await booked(rig) == 1
    assert len(await rig.query("select from {schema}.inbox where kind = 'step'")) == 1


async def test_I9_a_result_that_is_there_forbids_another(rig: Bench) -> None:
    await _start_held(rig)
    first, conclusion = await _open(rig)
    await _drive(first, conclusion)
    await first.execute("commit")
    second, again = await _open(rig)
    with pytest.raises(Fenced):
        await _drive(second, again)
    await asyncio.gather(first.close(), second.close())
    assert await booked(rig) == 1


@pytest.mark.parametrize("boundary", ["transaction.before_commit", "transaction.after_commit"])
async def test_I9_a_crash_around_the_commit(rig: Bench, boundary: str) -> None:
    client = await rig.node(books)
    lost = asyncio.Event()

    def stop_there(name: str) -> None:
        if name == boundary and not lost.is_set():
            incarnation = rig.nodes[-1].incarnation
            assert incarnation is not None
            incarnation.abandon()
            lost.set()
            raise ConnectionError(name)

    with faultpoint.armed(stop_there):
        await client.start(books, "over_asyncpg", id="c")
        async with asyncio.timeout(20):
            await lost.wait()
    await rig.crash()
    client = await rig.node(books)
    ran = 2 if boundary == "transaction.before_commit" else 1
    assert await (await client.get("c")).result(20) == ran
    assert (bodies["ran"], await booked(rig)) == (ran, 1)
    await check_instance(client, books, "c")


async def test_the_outcome_is_looked_up_for_as_long_as_it_takes(
    proxied: tuple[Bench, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, proxy = proxied
    monkeypatch.setattr(concluding, "AGAIN", 0.01)
    client = await rig.node(books)
    proxy.fault(at_commit("after", on=b"orquestrax step"))
    looks = proxy.fault(at_commit("before", times=3, on=b"orquestrax looks"))
    run = await client.start(books, "over_asyncpg", id="l")
    assert await run.result(20) == 1
    await asyncio.wait_for(looks.struck.wait(), 20)  # the result may have come by mail, before the first look
    assert await booked(rig) == 1
