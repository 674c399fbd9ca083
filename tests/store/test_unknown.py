"""Commits of unknown outcome: the journal reads what is there, under its own fence, and goes on from that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from orquestrax.core.journal import Journal, Lane
from orquestrax.core.store.deaths import declare_dead
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.journalverbs import JournalStore
from orquestrax.model.rows import Verdict, Write
from tests.store.proxy import Proxy, at_commit
from tests.store.support import Rig, Told, new_instance, somebody_waits

CUTS = ["before", "after"]
KINDS: dict[str, Callable[[Told, UUID], Write]] = {
    "events": lambda told, key: told.write(key, 1, 2),
    "park": lambda told, key: told.park(key, 1),
    "bare park": lambda told, key: told.park(key),
    "end": lambda told, key: told.end(key, 1),
    "block": lambda told, key: told.block(key),
}


async def journal_through(rig: Rig, proxy: Proxy, fence: Fence, deadline: float = 10.0) -> Journal:
    return await rig.journal(fence, address=replace(proxy.address, deadline=deadline))


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_I5_each_write_is_there_once(rig: Rig, told: Told, proxy: Proxy, kind: str, how: Any):
    fence = await rig.node()
    journal = await journal_through(rig, proxy, fence)
    fault = proxy.fault(at_commit(how))
    writes = [KINDS[kind](told, await rig.owned(fence)) for _ in range(5)]
    for write in writes:
        journal.submit(write)
    assert await told.all(writes) == [Verdict.COMMITTED] * len(writes)
    assert fault.struck.is_set()
    for write in writes:
        assert await rig.seqs(write.key) == [event.seq for event in write.events]
        row = await rig.row(write.key)
        assert (row["owner"] is None) == (write.change is not None)
        assert write.parked == (write.change is not None)
    assert proxy.cancels == 0


@pytest.mark.parametrize(("further", "verdict"), [(True, Verdict.LOST), (False, Verdict.COMMITTED)])
async def test_I5_a_park_that_held_and_came_back(
    rig: Rig, told: Told, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, further: bool, verdict: Verdict
):
    """Its row is this node's again when the outcome is read: what is in memory is good unless others went on."""
    fence = await rig.node()
    journal = await journal_through(rig, proxy, fence)
    proxy.fault(at_commit("after"))
    write = told.park(await rig.owned(fence), 1)
    original = JournalStore.what_is_there

    async def later(self: JournalStore, keys: Sequence[UUID]) -> Any:
        assert (await rig.row(write.key))["owner"] is None
        if further:
            await rig.rows(
                "insert into {schema}.events select instance, 2, type, at, issued, trail, data from {schema}.events"
                " where instance = $1",
                write.key,
            )
        await rig.rows("update {schema}.instances set owner = $2 where key = $1", write.key, fence.number)
        return await original(self, keys)

    monkeypatch.setattr(JournalStore, "what_is_there", later)
    journal.submit(write)
    assert await told.all([write]) == [verdict]
    assert further or not write.parked


async def test_I5_writing_again_blindly_is_refused_by_the_key(
    rig: Rig, told: Told, monkeypatch: pytest.MonkeyPatch, proxy: Proxy
):
    """The mutant that does not read what is there: the second line holds, and the write is called a fault."""
    fence = await rig.node()
    journal = await journal_through(rig, proxy, fence)

    async def blindly(self: Lane, batch: list[Write], error: Exception) -> None:
        self._store.drop()
        await self._settle(batch)

    monkeypatch.setattr(Lane, "_settle_unknown", blindly)
    proxy.fault(at_commit("after"))
    write = told.write(await rig.owned(fence), 1)
    journal.submit(write)
    assert await told.all([write]) == [Verdict.FAULT]


async def hold_commit(rig: Rig, told: Told, proxy: Proxy, write: Write, journal: Journal) -> Any:
    """The client's side is cut at COMMIT, which the old backend has yet to get."""
    held = proxy.fault(at_commit("hold"))
    journal.submit(write)
    await held.struck.wait()
    return held


async def test_I5_an_old_backend_that_is_about_to_commit_is_waited_for(rig: Rig, told: Told, proxy: Proxy):
    fence = await rig.node()
    journal = await journal_through(rig, proxy, fence)
    write = told.write(await rig.owned(fence), 1)
    held = await hold_commit(rig, told, proxy, write, journal)
    await somebody_waits(rig, "advisory")
    assert told.of(write) is None
    assert await rig.seqs(write.key) == []
    held.released.set()
    assert await told.all([write]) == [Verdict.COMMITTED]
    assert await rig.seqs(write.key) == [1]


async def test_I5_without_the_fence_the_old_backend_commits_after_the_verdict(
    rig: Rig, told: Told, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    """The mutant reads at once, finds nothing, writes again, and meets the key of the old one."""
    fence = await rig.node()

    async def shared(self: Fence, connection: Any, **_: Any) -> None:
        await self.begin(connection)

    monkeypatch.setattr(Fence, "begin_exclusive", shared)
    journal = await journal_through(rig, proxy, fence)
    write = told.write(await rig.owned(fence), 1)
    held = await hold_commit(rig, told, proxy, write, journal)
    await somebody_waits(rig, "transactionid")
    held.released.set()
    assert await told.all([write]) == [Verdict.FAULT], "although it is there"
    assert await rig.seqs(write.key) == [1]


async def test_I5_an_old_backend_that_never_commits_is_not_waited_for_long(
    rig: Rig, told: Told, proxy: Proxy
):
    """The server ends the transaction that was left open, and the journal writes it again."""
    fence = await rig.node()
    journal = await journal_through(rig, proxy, fence)
    write = told.write(await rig.owned(fence), 1)
    await hold_commit(rig, told, proxy, write, journal)
    assert await told.all([write]) == [Verdict.COMMITTED]
    assert await rig.seqs(write.key) == [1]


@pytest.mark.parametrize("how", CUTS)
async def test_I5_what_resolves_the_outcome_may_be_cut_too(rig: Rig, told: Told, proxy: Proxy, how: Any):
    """Also in a silent partition, which only a deadline ends."""
    fence = await rig.node()
    journal = await journal_through(rig, proxy, fence, deadline=0.5)
    proxy.fault(at_commit(how, times=3))
    proxy.fault(at_commit("swallow", times=2))
    write = told.write(await rig.owned(fence), 1)
    journal.submit(write)
    assert await told.all([write]) == [Verdict.COMMITTED]
    assert await rig.seqs(write.key) == [1]


async def test_I5_a_park_that_another_node_has_claimed_since_stays_a_park(rig: Rig, told: Told, proxy: Proxy):
    """Taken for a row that is still mine, its timers and steps would run on two nodes."""
    fence, other = await rig.node(), await rig.node()
    key = await rig.owned(fence)
    journal = await journal_through(rig, proxy, fence)
    claims = await rig.store(other)
    write = told.park(key, 1)
    resolving = asyncio.Event()
    original = Lane._what_is_there

    async def meanwhile(self: Lane, *arguments: Any) -> Any:
        await rig.send(key)
        assert [row.key for row in await claims.claim_due({"d": ""}, 0, 1)] == [key]
        resolving.set()
        return await original(self, *arguments)

    Lane._what_is_there = meanwhile  # type: ignore[method-assign]
    try:
        proxy.fault(at_commit("after"))
        journal.submit(write)
        assert await told.all([write]) == [Verdict.COMMITTED]
    finally:
        Lane._what_is_there = original  # type: ignore[method-assign]
    assert resolving.is_set()
    assert write.parked
    assert (await rig.row(key))["owner"] == other.number


async def test_I5_duplicates_that_were_read_are_deleted_once(rig: Rig, told: Told, proxy: Proxy):
    """A write that only deletes messages leaves no event to be known by."""
    fence = await rig.node()
    key = await rig.owned(fence)
    await rig.send(key)
    journal = await journal_through(rig, proxy, fence)
    proxy.fault(at_commit("after"))
    write = told.write(key, read_mail=1, consumed=[1])
    journal.submit(write)
    assert await told.all([write]) == [Verdict.COMMITTED]
    assert await rig.client.inbox(key) == []


@pytest.mark.parametrize("how", CUTS)
async def test_I4_I5_a_node_that_was_declared_dead_meanwhile_tells_nothing(
    rig: Rig, told: Told, proxy: Proxy, how: Any
):
    fence = await rig.node()
    journal = await journal_through(rig, proxy, fence)
    key = await rig.owned(fence)
    original = Lane._reach_database

    async def declared(self: Lane) -> Any:
        assert await declare_dead(rig.address, fence.space, fence.number, None)
        return await original(self)

    Lane._reach_database = declared  # type: ignore[method-assign]
    try:
        proxy.fault(at_commit(how))
        write = told.write(key, 1)
        journal.submit(write)
        await asyncio.wait_for(journal.fenced.wait(), 20)  # type: ignore[attr-defined]
    finally:
        Lane._reach_database = original  # type: ignore[method-assign]
    assert told.of(write) is None
    assert await rig.seqs(key) == ([1] if how == "after" else [])


async def test_I5_a_random_mix_of_cuts_loses_and_doubles_nothing(rig: Rig, told: Told, proxy: Proxy):
    """Starts, events, parks and ends of many instances while every third commit is cut."""
    fence = await rig.node()
    journal = await journal_through(rig, proxy, fence)
    counted = {"n": 0}

    def every_third(kind: bytes, body: bytes) -> bool:
        hit = kind == b"Q" and body == b"commit\0"
        counted["n"] += hit
        return hit and counted["n"] % 3 == 0

    for how in CUTS * 6:
        proxy.fault(at_commit(how)).match = every_third
    for round_ in range(1, 11):
        new = [new_instance() for _ in range(5)]
        starts = [told.write(one.key, start=one, started_at=1) for one in new]
        owned = await rig.crowd(5, fence)
        more = [told.write(key, 1) for key in owned[:3]] + [told.park(owned[3], 1), told.end(owned[4], 1)]
        for write in [*starts, *more]:
            journal.submit(write)
        assert set(await told.all([*starts, *more])) == {Verdict.COMMITTED}, round_
        for key in owned:
            assert await rig.seqs(key) == [1]
        for one in new:
            assert (await rig.row(one.key))["owner"] == fence.number
    assert not all(fault.times for fault in proxy.faults)
    assert proxy.cancels == 0
