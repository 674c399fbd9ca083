"""COMMIT is sent by us and believed by its tag; what overruns its deadline is cut and never cancelled."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from orquestrax.base import faultpoint
from orquestrax.base.errors import DatabaseUnreachable
from orquestrax.core.store.batch import BatchWriter
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.core.store.database import Database, within
from orquestrax.core.store.deaths import declare_dead
from orquestrax.core.store.fence import RolledBack, commit
from orquestrax.model.rows import Verdict
from tests.store.proxy import Proxy, at_commit, at_execution
from tests.store.support import Rig, Told, new_instance, until

LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


async def test_I5_the_driver_says_nothing_when_commit_was_a_rollback(rig: Rig):
    """The mutant: an error was swallowed, COMMIT raises nothing, and nothing is there."""
    connection = await rig.connect()
    await connection.execute("begin")
    await connection.execute(rig.text("create table {schema}.trace ()"))
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.execute("select 1 / 0")
    assert await connection.execute("commit") == "ROLLBACK"
    assert await rig.value("select to_regclass('{schema}.trace')") is None


async def test_I5_a_rollback_tag_is_an_error(rig: Rig):
    fence = await rig.node()
    connection = await rig.connect()
    await fence.begin(connection)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.execute("select 1 / 0")
    with pytest.raises(RolledBack, match="ROLLBACK"):
        await commit(connection)


async def test_I5_the_journal_tells_nothing_as_committed_that_was_rolled_back(
    rig: Rig, told: Told, monkeypatch: pytest.MonkeyPatch
):
    """An error that somebody swallows inside the transaction, once: the batch is sent again."""
    fence = await rig.node()
    journal = await rig.journal(fence)
    original, swallowed = BatchWriter._insert_events, []

    async def swallowing(self, writes):
        if not swallowed:
            try:
                await self.connection.execute("select 1 / 0")
            except asyncpg.DivisionByZeroError as error:
                swallowed.append(error)
                return
        await original(self, writes)

    monkeypatch.setattr(BatchWriter, "_insert_events", swallowing)
    writes = [told.write(await rig.owned(fence), 1) for _ in range(3)]
    for write in writes:
        journal.submit(write)
    assert await told.all(writes) == [Verdict.COMMITTED] * 3
    assert swallowed
    for write in writes:
        assert await rig.seqs(write.key) == [1]


async def test_I5_a_deadline_of_the_driver_sends_a_cancel_request(rig: Rig, proxy: Proxy):
    """The mutants: `timeout=`, and the cancellation of the task that waits."""
    connection = await rig.connect(proxy.address)
    with pytest.raises(TimeoutError):
        await connection.execute("select pg_sleep(10)", timeout=0.1)
    await until(lambda: proxy.cancels == 1)
    other = await rig.connect(proxy.address)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(other.execute("select pg_sleep(10)"), 0.1)
    await until(lambda: proxy.cancels == 2)


async def test_I5_a_deadline_cuts_the_socket(rig: Rig, proxy: Proxy):
    connection = await rig.connect(proxy.address)
    with pytest.raises(LOST):
        await within(connection, connection.execute("select pg_sleep(10)"), 0.1)
    assert connection.is_closed()
    assert proxy.cancels == 0


@pytest.mark.parametrize("how", ["swallow", "after"])
async def test_I5_the_journal_never_cancels(rig: Rig, told: Told, proxy: Proxy, how: str):
    """A COMMIT that is not answered within the deadline."""
    fence = await rig.node()
    hasty = replace(proxy.address, deadline=1.5)
    journal = await rig.journal(fence, address=hasty)
    fault = proxy.fault(at_commit(how))
    write = told.write(await rig.owned(fence), 1)
    journal.submit(write)
    assert await told.all([write]) == [Verdict.COMMITTED]
    assert fault.struck.is_set()
    assert await rig.seqs(write.key) == [1]
    assert proxy.cancels == 0


async def test_I5_a_client_that_stops_waiting_cancels_nothing(rig: Rig, proxy: Proxy):
    """Whoever gives up a start or a message must not undo its replication."""
    database = Database(proxy.address)
    await database.open()
    store = ClientStore(database)
    blocker, new = await rig.connect(), new_instance("one")
    async with blocker.transaction():
        await blocker.execute(rig.text("lock table {schema}.instances in share row exclusive mode"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.start(new), 0.2)
    await until(lambda: rig.client.by_id("one"))
    await database.close()
    assert proxy.cancels == 0


async def test_I5_a_node_that_drops_everything_cancels_nothing(rig: Rig, told: Told, proxy: Proxy):
    """Its journal in the middle of a batch, its claims in the middle of a claim."""
    fence = await rig.node()
    journal = await rig.journal(fence, address=proxy.address)
    store = await rig.store(fence, proxy.address)
    key = await rig.owned(fence)
    blocker = await rig.connect()
    async with blocker.transaction():
        await blocker.execute(rig.text("lock table {schema}.instances in access exclusive mode"))
        journal.submit(told.park(key, 1))
        claiming = asyncio.create_task(store.claim_due({"d": ""}, 1, 9))
        waiting = "select count(*) = 2 from pg_stat_activity where wait_event_type = 'Lock'"
        await until(lambda: rig.value(waiting + " and datname = current_database()"))
        journal.abandon()
        store.close()
        claiming.cancel()
        with pytest.raises((asyncio.CancelledError, *LOST)):
            await claiming
    assert await declare_dead(rig.address, fence.space, fence.number, None), "and waits for what it left"
    assert proxy.cancels == 0


async def test_I5_a_silent_partition_ends_with_the_deadline(rig: Rig, proxy: Proxy):
    """Statements of clients and of nodes alike: nothing hangs for good."""
    hasty = replace(proxy.address, deadline=1.5)
    database = Database(hasty)
    await database.open()
    store = await rig.store(None, hasty)
    await store.mail()
    await database.fetch("list_nodes")
    proxy.fault(at_execution("swallow", times=2))
    async with asyncio.timeout(30):
        with pytest.raises(DatabaseUnreachable):
            await database.fetch("list_nodes")
        with pytest.raises(LOST):
            await store.mail()
    assert await store.mail() == ([], None), "a new connection serves the next one"
    await database.close()
    assert proxy.cancels == 0


async def test_the_boundaries_of_a_commit_are_marked(rig: Rig, told: Told):
    """A crash test can stop a node at each of them."""
    fence = await rig.node()
    writer = BatchWriter(await rig.connect(), fence, rig.address.schema)
    store, reached = await rig.store(fence), list[str]()
    write = told.write(await rig.owned(fence), 1)
    await rig.pending()
    with faultpoint.armed(reached.append):
        await writer.write([write])
        await store.claim_due({"d": ""}, 1, 1)
        await declare_dead(rig.address, fence.space, fence.number, None)
    for name in (
        "journal.before_commit",
        "journal.after_commit",
        "claim_due.before_commit",
        "declare.before_commit",
    ):
        assert name in reached
