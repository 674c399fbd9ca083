"""`transactional=True`: the step's effects in the database and its result are committed together, exactly once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter

import asyncpg
import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

import orquestrax as ox
from orquestrax import Retry
from orquestrax.model import events
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.until import until_event

bodies: Counter[str] = Counter()
INSERT = "insert into bookings (what) values ('{}')"


@pytest.fixture
async def rig(bench: Bench) -> Bench:
    """A table of the user's own, in the same database."""
    await bench.query("drop table if exists bookings")
    await bench.query("create table bookings (id serial primary key, what text not null)")
    bodies.clear()
    return bench


async def booked(rig: Bench) -> list[str]:
    return [row["what"] for row in await rig.query("select what from bookings order by id")]


@ox.step(transactional=True)
async def over_asyncpg(what: str, tx: asyncpg.Connection = ox.transaction()) -> int:
    async with tx.transaction():  # a savepoint
        await tx.execute("insert into bookings (what) values ($1)", what)
    return await tx.fetchval("select count(*) from bookings")


@ox.step(transactional=True)
async def over_async_psycopg(what: str, tx: psycopg.AsyncConnection = ox.transaction()) -> int:
    async with tx.transaction():
        await tx.execute("insert into bookings (what) values (%s)", [what])
    row = await (await tx.execute("select count(*) from bookings")).fetchone()
    assert row is not None
    return row[0]


@ox.step(transactional=True)
def over_psycopg(what: str, tx: psycopg.Connection = ox.transaction()) -> int:
    with tx.transaction():
        tx.execute("insert into bookings (what) values (%s)", [what])
    row = tx.execute("select count(*) from bookings").fetchone()
    assert row is not None
    return row[0]


@ox.step(transactional=True)
async def over_async_session(what: str, tx: AsyncSession = ox.transaction()) -> int:
    await tx.execute(sqlalchemy.text("insert into bookings (what) values (:what)"), {"what": what})
    await tx.commit()  # ends its savepoint
    return await tx.scalar(sqlalchemy.text("select count(*) from bookings"))


@ox.step(transactional=True)
async def over_async_connection(what: str, tx: AsyncConnection = ox.transaction()) -> int:
    await tx.execute(sqlalchemy.text("insert into bookings (what) values (:what)"), {"what": what})
    return await tx.scalar(sqlalchemy.text("select count(*) from bookings"))


@ox.step(transactional=True)
def over_session(what: str, tx: Session = ox.transaction()) -> int:
    tx.execute(sqlalchemy.text("insert into bookings (what) values (:what)"), {"what": "no"})
    tx.rollback()  # ends its savepoint
    tx.execute(sqlalchemy.text("insert into bookings (what) values (:what)"), {"what": what})
    return tx.scalar(sqlalchemy.text("select count(*) from bookings"))


@ox.step(transactional=True)
def over_connection(what: str, tx: sqlalchemy.Connection = ox.transaction()) -> int:
    tx.execute(sqlalchemy.text("insert into bookings (what) values (:what)"), {"what": what})
    return tx.scalar(sqlalchemy.text("select count(*) from bookings"))


ALL = [
    over_asyncpg,
    over_async_psycopg,
    over_psycopg,
    over_async_session,
    over_async_connection,
    over_session,
    over_connection,
]


@ox.workflow
async def books(names: list[str]) -> list[int]:
    steps = {step.name: step for step in ALL}
    return [await steps[name](name) for name in names]


async def test_I9_every_library_carries_the_transaction(rig: Bench) -> None:
    client = await rig.node(books)
    names = [step.name for step in ALL]
    assert await (await client.start(books, names, id="b")).result(30) == list(range(1, len(ALL) + 1))
    assert await booked(rig) == names
    history = await check_instance(client, books, "b")
    ended = [events.decode(event) for event in history if event.type == events.STEP_COMPLETED]
    assert [(e.step, e.attempt) for e in ended] == [(name, 1) for name in names]
    assert await rig.query("select from {schema}.transactions") == []


@ox.step(transactional=True, retry=Retry(attempts=3, initial=0.01))
async def fails_twice(tx: asyncpg.Connection = ox.transaction()) -> int:
    await tx.execute(INSERT.format("retried"))
    if ox.step_info().attempt < 3:
        raise ValueError("rolled back")
    return ox.step_info().attempt


@ox.step(transactional=True, retry=Retry(attempts=2, initial=0.01))
def fails_once(tx: psycopg.Connection = ox.transaction()) -> int:
    tx.execute(INSERT.format("plainly"))
    if ox.step_info().attempt < 2:
        raise ValueError("rolled back")
    return ox.step_info().attempt


@ox.workflow
async def fails() -> list[int]:
    return [await fails_twice(), await fails_once()]


async def test_I9_an_exception_rolls_back_and_is_retried(rig: Bench) -> None:
    client = await rig.node(fails)
    assert await (await client.start(fails, id="f")).result(20) == [3, 2]
    assert await booked(rig) == ["retried", "plainly"]
    await check_instance(client, fails, "f")


@ox.step(transactional=True, retry=Retry(attempts=3, initial=0.01))
async def ends_it(text: str, tx: asyncpg.Connection = ox.transaction()) -> None:
    bodies["ends"] += 1
    await tx.execute(INSERT.format("by itself"))
    await tx.execute(text)


@ox.step(transactional=True)
def ends_psycopg(how: str, tx: psycopg.Connection = ox.transaction()) -> None:
    tx.execute(INSERT.format("by itself"))
    getattr(tx, how)()


@ox.step(transactional=True)
async def ends_connection(how: str, tx: AsyncConnection = ox.transaction()) -> None:
    await tx.execute(sqlalchemy.text(INSERT.format("by itself")))
    await getattr(tx, how)()


@ox.workflow
async def ends(which: str, how: str) -> None:
    await {"asyncpg": ends_it, "psycopg": ends_psycopg, "connection": ends_connection}[which](how)


@pytest.mark.parametrize(
    ("which", "how", "sentence"),
    [
        ("asyncpg", "commit", "a transactional step does not commit"),
        ("asyncpg", "rollback", "has ended its transaction by itself"),
        ("asyncpg", "rollback; begin", "has ended its transaction by itself"),
        ("psycopg", "commit", "forbidden within a Transaction context"),
        ("psycopg", "rollback", "forbidden within a Transaction context"),
        ("connection", "commit", "a transactional step does not commit"),
        ("connection", "rollback", "has ended its transaction by itself"),
    ],
)
async def test_I9_a_body_that_ends_the_transaction_itself_is_refused(
    rig: Bench, which: str, how: str, sentence: str
) -> None:
    client = await rig.node(ends)
    with pytest.raises(ox.WorkflowFailed) as failed:
        await (await client.start(ends, which, how, id="e")).result(20)
    assert sentence in str(failed.value), failed.value
    assert await booked(rig) == []
    if "rollback" in how and which == "asyncpg":
        assert bodies["ends"] == 1, "not worth another attempt"


inside = threading.Event()


@ox.step(transactional=True, timeout=0.3)
async def slowly(tx: asyncpg.Connection = ox.transaction()) -> None:
    await tx.execute(INSERT.format("slowly"))
    await tx.fetch("select pg_sleep(30)")


@ox.step(transactional=True, timeout=0.3)
def slowly_in_a_thread(tx: psycopg.Connection = ox.transaction()) -> None:
    tx.execute(INSERT.format("slowly"))
    inside.set()
    time.sleep(1.0)
    bodies["thread went on"] += 1


@ox.step(transactional=True, timeout=0.2)
async def does_not_listen(tx: asyncpg.Connection = ox.transaction()) -> None:
    await tx.execute(INSERT.format("deaf"))
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await asyncio.sleep(0.6)
    bodies["deaf went on"] += 1


@ox.workflow
async def is_late(which: str) -> str:
    try:
        await {"async": slowly, "thread": slowly_in_a_thread, "deaf": does_not_listen}[which]()
    except TimeoutError:
        return "late"
    return "in time"


@pytest.mark.parametrize("which", ["async", "thread", "deaf"])
async def test_I9_a_time_limit_rolls_back(rig: Bench, which: str) -> None:
    client = await rig.node(is_late)
    incarnation = rig.nodes[-1].incarnation
    assert incarnation is not None
    incarnation.runner._cancel_grace = 0.1
    assert await (await client.start(is_late, which, id="l")).result(20) == "late"
    async with asyncio.timeout(20):  # nobody is left in a transaction, though the thread goes on
        while await rig.query(
            "select from pg_stat_activity where datname = current_database() and application_name like "
            "'orquestrax step%'"
        ):
            await asyncio.sleep(0.05)
    assert await booked(rig) == []
    assert bodies[f"{which} went on"] == (which == "deaf"), "a body that goes on has missed its commit"
    await check_instance(client, is_late, "l")


@ox.step(transactional=True)
async def holds(tx: asyncpg.Connection = ox.transaction()) -> None:
    await tx.execute(INSERT.format("held"))
    bodies["held"] += 1
    await asyncio.sleep(3600)


@ox.workflow
async def is_cancelled() -> str:
    held = asyncio.create_task(_await(holds()))
    await ox.receive("go")
    held.cancel()
    return "cancelled"


async def _await(call: ox.Call[None]) -> None:
    await call


async def test_I9_a_cancelled_step_is_rolled_back(rig: Bench) -> None:
    client = await rig.node(is_cancelled)
    run = await client.start(is_cancelled, id="c")
    async with asyncio.timeout(20):
        while not bodies["held"]:
            await asyncio.sleep(0.01)
    await run.signal("go")
    assert await run.result(20) == "cancelled"
    async with asyncio.timeout(20):
        while await rig.query("select from {schema}.transactions") or await booked(rig):
            await asyncio.sleep(0.02)
    await check_instance(client, is_cancelled, "c")


@ox.step(transactional=True, retry=Retry(attempts=9, initial=0.01))
async def crosswise(first: str, second: str, tx: asyncpg.Connection = ox.transaction()) -> int:
    await tx.execute("update bookings set what = what || '+' where what like $1", first + "%")
    await asyncio.sleep(0.1)
    await tx.execute("update bookings set what = what || '+' where what like $1", second + "%")
    return ox.step_info().attempt


@ox.workflow
async def deadlocks() -> list[int]:
    return await asyncio.gather(crosswise("a", "b"), crosswise("b", "a"))


async def test_I9_deadlocks_are_failures_that_are_retried(rig: Bench) -> None:
    await rig.query("insert into bookings (what) values ('a'), ('b')")
    client = await rig.node(deadlocks)
    attempts = await (await client.start(deadlocks, id="d")).result(30)
    assert max(attempts) > 1
    assert await booked(rig) == ["a++", "b++"]
    await check_instance(client, deadlocks, "d")


async def test_a_step_that_runs_long_does_not_hold_the_fence(rig: Bench) -> None:
    client = await rig.node(is_cancelled)
    await client.start(is_cancelled, id="h")
    async with asyncio.timeout(20):
        while not bodies["held"]:
            await asyncio.sleep(0.01)
    held = await rig.query(
        "select l.locktype from pg_locks as l join pg_stat_activity as a on a.pid = l.pid "
        "where a.application_name like 'orquestrax step%' and a.datname = current_database() "
        "and l.locktype = 'advisory'"
    )
    assert held == []


@ox.workflow
async def is_lost() -> str:
    await held_once()
    return "done"


@ox.step(transactional=True)
async def held_once(tx: asyncpg.Connection = ox.transaction()) -> None:
    await tx.execute("lock table bookings in exclusive mode")
    await tx.execute(INSERT.format("once"))
    bodies["once"] += 1
    if bodies["once"] == 1:
        await asyncio.sleep(3600)


async def test_I9_what_a_dead_node_had_open_is_rolled_back_and_holds_up_nobody(rig: Bench) -> None:
    client = await rig.node(is_lost)
    await client.start(is_lost, id="x")
    async with asyncio.timeout(20):
        while not bodies["once"]:
            await asyncio.sleep(0.01)
    await rig.crash()
    client = await rig.node(is_lost)
    assert await (await client.get("x")).result(20) == "done"
    assert await booked(rig) == ["once"]
    history = await check_instance(client, is_lost, "x")
    assert [e.type for e in history if e.type != events.STEP_STARTED] == [
        "taken_over",
        "step_completed",
        "completed",
    ]


async def test_outside_of_a_workflow_the_caller_brings_the_transaction(rig: Bench) -> None:
    with pytest.raises(ox.NotInWorkflow, match=r"step over_asyncpg is transactional: .* pass tx= yourself"):
        await over_asyncpg("x")
    with pytest.raises(ox.NotInWorkflow, match="pass tx= yourself"):
        await asyncio.to_thread(over_psycopg.call, "x")
    connection = await asyncpg.connect(rig.dsn)
    try:
        assert await over_asyncpg("x", tx=connection) == 1
    finally:
        await connection.close()


async def test_until(rig: Bench) -> None:
    """An event that is waited for comes: the transactional step is seen when it runs long."""
    client = await rig.node(is_cancelled)
    run = await client.start(is_cancelled, id="u")
    await until_event(run, events.STEP_STARTED)
    await run.signal("go")
    assert await run.result(20) == "cancelled"
