"""The journal: gapless histories, batches, and its end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from orquestrax.base import faultpoint
from orquestrax.core.journal import BATCH_ROWS
from orquestrax.core.store.batch import BatchWriter
from orquestrax.model.rows import RowChange, Verdict
from orquestrax.model.tasks import NewTask
from tests.store.proxy import Proxy
from tests.store.support import Rig, Told, until

TASK = NewTask(
    command=1, step="s", queue="q", executor="async", attempt=1, asked_at=1, first_at=None, once=False, input=b"[]",
    options="{}",
)  # fmt: skip


async def test_I3_a_stream_of_turns_becomes_a_gapless_history(rig: Rig, told: Told):
    fence = await rig.node()
    keys = await rig.crowd(20, fence)
    journal = await rig.journal(fence, lanes=2)
    writes = []
    for seq in range(1, 41, 2):
        for key in keys:
            change = RowChange(status="waiting", waits=b"[]") if seq % 3 else None
            writes.append(told.write(key, seq, seq + 1, change=change))
            journal.submit(writes[-1])
        await asyncio.sleep(0)
    assert set(await told.all(writes)) == {Verdict.COMMITTED}
    for key in keys:
        assert await rig.seqs(key) == list(range(1, 41))
        in_order = [write.events[0].seq for write in told.order if write.key == key]
        assert in_order == sorted(in_order), "told in the order of writing"
    assert journal.commits < len(writes)


async def test_what_gathers_during_a_write_is_the_next_batch(rig: Rig, told: Told):
    fence = await rig.node()
    keys = await rig.crowd(300, fence)
    journal = await rig.journal(fence)
    writes = [told.write(key, seq) for seq in (1, 2, 3) for key in keys]
    for write in writes:
        journal.submit(write)
    assert set(await told.all(writes)) == {Verdict.COMMITTED}
    assert journal.commits == -(-len(writes) // BATCH_ROWS)


async def test_two_changes_of_one_instance_never_share_a_batch(rig: Rig, told: Told):
    """The second would overwrite the first in one statement, in no order."""
    fence = await rig.node()
    key, other = await rig.owned(fence), await rig.owned(fence)
    journal = await rig.journal(fence)
    changes = [RowChange(status=status) for status in ("waiting", "running", "waiting")]
    writes = [told.write(key, n, change=change) for n, change in enumerate(changes, 1)]
    writes += [told.write(key, 4), told.write(other, 1)]
    for write in writes:
        journal.submit(write)
    assert set(await told.all(writes)) == {Verdict.COMMITTED}
    assert await rig.seqs(key) == [1, 2, 3, 4]
    assert (await rig.row(key))["status"] == "waiting"
    assert told.order.index(writes[4]) < told.order.index(writes[1])


async def test_I5_effects_wait_for_the_commit(rig: Rig, told: Told):
    """Nothing is told before the tag of COMMIT has come."""
    fence = await rig.node()
    key = await rig.owned(fence)
    journal = await rig.journal(fence)
    seen: list[tuple[str, int]] = []
    write = told.write(key, 1)
    with faultpoint.armed(lambda name: seen.append((name, len(told.verdicts)))):
        journal.submit(write)
        await told.all([write])
    assert ("journal.before_commit", 0) in seen
    assert ("journal.after_commit", 0) in seen


async def test_stopping_writes_what_is_queued(rig: Rig, told: Told):
    fence = await rig.node()
    writes = [told.write(key, 1) for key in await rig.crowd(10, fence)]
    journal = await rig.journal(fence)
    for write in writes:
        journal.submit(write)
    await journal.stop()
    assert set(await told.all(writes)) == {Verdict.COMMITTED}


async def test_I23_stopping_ends_although_the_database_is_away(rig: Rig, told: Told, address: Any):
    async with Proxy(address) as proxy:
        fence = await rig.node()
        journal = await rig.journal(fence, address=replace(proxy.address, deadline=0.5))
        key: UUID = await rig.owned(fence)
    journal.submit(told.write(key, 1))
    await asyncio.wait_for(journal.stop(), 20)
    assert told.verdicts == {}


async def test_I23_the_journal_outlives_the_end_of_its_connections(rig: Rig, told: Told):
    fence = await rig.node()
    keys = [await rig.owned(fence) for _ in range(5)]
    journal = await rig.journal(fence, lanes=2)
    for seq in range(1, 6):
        await rig.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
            " and application_name like 'orquestrax journal%'"
        )
        writes = [told.write(key, seq) for key in keys]
        for write in writes:
            journal.submit(write)
        assert set(await told.all(writes)) == {Verdict.COMMITTED}
    for key in keys:
        assert await rig.seqs(key) == [1, 2, 3, 4, 5]


async def test_the_fence_serves_while_the_nodes_row_is_locked_by_its_heartbeat(rig: Rig, told: Told):
    """The mutant locks the node's row instead: a heartbeat would wait for every open transaction."""
    fence = await rig.node()
    key = await rig.owned(fence)
    writer, mutant = await rig.connect(), await rig.connect()
    async with writer.transaction():
        await fence.check(writer, rig.address.schema)
        await asyncio.wait_for(rig.database.fetch("heartbeat", fence.number, None), 20)
    async with mutant.transaction():
        await mutant.fetch(rig.text("select 1 from {schema}.nodes where fence = $1 for share"), fence.number)
        beating = await rig.connect()
        await beating.execute("set lock_timeout = '100ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await beating.execute(
                rig.text("update {schema}.nodes set heartbeat = heartbeat + 1 where fence = $1"), fence.number
            )
    journal = await rig.journal(fence)
    journal.submit(write := told.write(key, 1))
    await until(lambda: told.of(write) is Verdict.COMMITTED)


async def test_I1_a_step_that_is_asked_for_in_the_batch_that_ends_its_instance_leaves_no_task(
    rig: Rig, told: Told
):
    """What is left of an instance goes with its end, and a task that came after that would be nobody's."""
    fence = await rig.node()
    key, other = await rig.owned(fence), await rig.owned(fence)
    writer = BatchWriter(await rig.connect(), fence, rig.address.schema)
    asking = [told.write(one, 1, tasks=[TASK]) for one in (key, other)]
    assert await writer.write([*asking, told.end(key, 2)]) == [Verdict.COMMITTED] * 3
    left = await rig.rows("select instance from {schema}.tasks")
    assert [row["instance"] for row in left] == [other]
