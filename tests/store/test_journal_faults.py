"""The journal when something is wrong with a write: it gets a verdict of its own, and nobody else notices."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orquestrax.core.journal import Journal, Lane
from orquestrax.core.store.deaths import declare_dead
from orquestrax.model.rows import RowChange, Verdict, Write
from tests.store.support import Rig, Told, event, new_instance


def spoil(write: Write) -> Write:
    """A write that the database refuses: its first event is no JSON."""
    write.events = [event(write.events[0].seq, data=b"{not json"), *write.events[1:]]
    return write


async def test_I3_the_key_is_the_second_line(rig: Rig, told: Told):
    """Two owners by mistake: one of them gets a fault, and the history stays as it was."""
    fence = await rig.node()
    key, bystander = await rig.owned(fence), await rig.owned(fence)
    journal = await rig.journal(fence)
    first = told.write(key, 1, 2)
    journal.submit(first)
    await told.all([first])
    before = await rig.rows("select * from {schema}.events where instance = $1 order by seq", key)
    second, other = told.write(key, 2, 3), told.write(bystander, 1)
    journal.submit(second)
    journal.submit(other)
    assert await told.all([second, other]) == [Verdict.FAULT, Verdict.COMMITTED]
    assert await rig.rows("select * from {schema}.events where instance = $1 order by seq", key) == before
    assert await rig.seqs(bystander) == [1]


async def test_without_the_key_a_history_forks(rig: Rig, told: Told):
    """The mutant: both owners' second events are there."""
    await rig.rows("alter table {schema}.events drop constraint events_pkey")
    fence = await rig.node()
    key = await rig.owned(fence)
    journal = await rig.journal(fence)
    writes = [told.write(key, 1, 2), told.write(key, 2, 3)]
    for write in writes:
        journal.submit(write)
    assert await told.all(writes) == [Verdict.COMMITTED] * 2
    assert await rig.seqs(key) == [1, 2, 2, 3]


@pytest.mark.parametrize("place", [0, 7, 30])
async def test_one_bad_write_in_a_batch_gets_a_fault_and_the_others_commit(rig: Rig, told: Told, place: int):
    fence = await rig.node()
    journal = await rig.journal(fence)
    writes = [told.write(key, 1) for key in await rig.crowd(31, fence)]
    bad = spoil(writes[place])
    for write in writes:
        journal.submit(write)
    verdicts = await told.all(writes)
    assert verdicts == [Verdict.FAULT if write is bad else Verdict.COMMITTED for write in writes]
    for write in writes:
        assert await rig.seqs(write.key) == ([] if write is bad else [1])
    again = told.write(bad.key, 1)
    journal.submit(again)
    assert await told.all([again]) == [Verdict.COMMITTED], "rebuilt from its history, it goes on"


@pytest.mark.parametrize("same_batch", [True, False])
async def test_I3_nothing_follows_a_write_that_was_refused(rig: Rig, told: Told, same_batch: bool):
    """Turns run ahead of the commit: what was asked after the refused one would leave a gap."""
    fence = await rig.node()
    key, other = await rig.owned(fence), await rig.owned(fence)
    journal = await rig.journal(fence)
    change = None if same_batch else RowChange(status="waiting", waits=b"[]")
    writes = [
        spoil(told.write(key, 1, change=change)),
        told.write(key, 2),
        told.write(key, 3),
        told.write(other, 1),
    ]
    for write in writes:
        journal.submit(write)
    assert await told.all(writes) == [Verdict.FAULT, Verdict.LOST, Verdict.LOST, Verdict.COMMITTED]
    assert await rig.seqs(key) == []
    rebuilt = told.write(key, 1)
    journal.submit(rebuilt)
    assert await told.all([rebuilt]) == [Verdict.COMMITTED]


async def test_I3_a_write_that_follows_all_the_same_leaves_a_gap(
    rig: Rig, told: Told, monkeypatch: pytest.MonkeyPatch
):
    """The mutant of the rule above."""
    monkeypatch.setattr(Lane, "_without_followers", lambda _self, batch: batch)
    fence = await rig.node()
    key = await rig.owned(fence)
    journal = await rig.journal(fence)
    writes = [spoil(told.write(key, 1)), told.write(key, 2)]
    for write in writes:
        journal.submit(write)
    await told.all(writes)
    assert await rig.seqs(key) == [2]


async def test_a_row_that_is_not_mine_is_dropped_and_the_rest_is_written(rig: Rig, told: Told):
    fence, other = await rig.node(), await rig.node()
    mine, foreign, gone = await rig.owned(fence), await rig.owned(other), await rig.pending()
    await rig.rows("delete from {schema}.instances where key = $1", gone)
    journal = await rig.journal(fence)
    writes = [told.park(key, 1) for key in (mine, foreign, gone)]
    for write in writes:
        journal.submit(write)
    assert await told.all(writes) == [Verdict.COMMITTED, Verdict.LOST, Verdict.LOST]
    assert await rig.seqs(foreign) == await rig.seqs(gone) == []


async def test_a_locked_row_stalls_nobody_else(rig: Rig, told: Told):
    """After `lock_timeout` the batch is halved until the row stands alone, and only that turn waits."""
    fence = await rig.node()
    keys = [await rig.owned(fence) for _ in range(4)]
    journal = await rig.journal(fence)
    await shorten_lock_timeout(journal)
    writes = [told.park(key, 1) for key in keys]
    holder = await rig.connect()
    async with holder.transaction():
        await holder.fetch(rig.text("select 1 from {schema}.instances where key = $1 for update"), keys[2])
        for write in writes:
            journal.submit(write)
        verdicts = await told.all(writes)
    assert verdicts == [Verdict.FAULT if write is writes[2] else Verdict.COMMITTED for write in writes]
    assert await rig.seqs(keys[2]) == []


async def test_I8_a_fence_that_is_held_is_nobodys_fault(
    rig: Rig, told: Told, monkeypatch: pytest.MonkeyPatch
):
    """Refused one by one, everything would leave this node's memory, and its bodies would run again."""
    fence = await rig.node()
    keys = [await rig.owned(fence) for _ in range(3)]
    journal = await rig.journal(fence)
    await shorten_lock_timeout(journal)
    settling, original = asyncio.Event(), Lane._settle_unknown

    async def settle(self: Lane, *arguments: Any) -> None:
        settling.set()
        await original(self, *arguments)

    monkeypatch.setattr(Lane, "_settle_unknown", settle)
    writes = [told.write(key, 1) for key in keys]
    holder = await rig.connect()
    await fence.begin_exclusive(holder)
    for write in writes:
        journal.submit(write)
    await asyncio.wait_for(settling.wait(), 20)
    await holder.execute("commit")
    assert await told.all(writes) == [Verdict.COMMITTED] * 3


async def shorten_lock_timeout(journal: Journal) -> None:
    for lane in journal._lanes:
        lane._store.fence._opening = lane._store.fence._opening.replace("'2s'", "'100ms'")
        assert "'100ms'" in lane._store.fence._opening


async def test_I4_a_fenced_journal_stops_and_tells_nothing(rig: Rig, told: Told):
    fence = await rig.node()
    keys = [await rig.owned(fence) for _ in range(3)]
    journal: Any = await rig.journal(fence)
    assert await declare_dead(rig.address, fence.space, fence.number, None)
    writes = [told.write(keys[0], 1), told.park(keys[1]), told.end(keys[2], 1)]
    for write in writes:
        journal.submit(write)
        await asyncio.wait_for(journal.fenced.wait(), 20)
    assert told.verdicts == {}
    for key in keys:
        assert await rig.seqs(key) == []


@pytest.mark.parametrize("make", ["events", "consumed", "park", "start", "end"])
async def test_I4_every_kind_of_write_finds_out_that_it_is_fenced(rig: Rig, told: Told, make: str):
    fence = await rig.node()
    key = await rig.owned(fence)
    await rig.send(key)
    assert await declare_dead(rig.address, fence.space, fence.number, None)
    await rig.rows("update {schema}.instances set owner = $2 where key = $1", key, fence.number)
    new = new_instance()
    write = {
        "events": lambda: told.write(key, 1),
        "consumed": lambda: told.write(key, read_mail=1, consumed=[1]),
        "park": lambda: told.park(key, read_mail=1),
        "start": lambda: told.write(new.key, start=new, started_at=1),
        "end": lambda: told.end(key, 1, read_mail=1),
    }[make]()
    journal: Any = await rig.journal(fence)
    journal.submit(write)
    await asyncio.wait_for(journal.fenced.wait(), 20)
    assert told.of(write) is None
    assert await rig.client.by_key([new.key]) == []
    assert len(await rig.client.inbox(key)) == 1
    assert (await rig.row(key))["status"] == "running"
