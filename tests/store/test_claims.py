"""Claims: what is due, in its order, each row to one node only."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from orquestrax.core.store.deaths import declare_dead
from tests.store.proxy import Proxy, at_commit
from tests.store.support import Rig

FAR = "now() + interval '1 day'"


async def due(rig: Rig, key: UUID, *, lane: int = 1, priority: int = 2, seconds_ago: float = 1) -> None:
    """Make an instance due."""
    await rig.rows(
        "update {schema}.instances set lane = $2, priority = $3,"
        " wake_at = {schema}.now() - make_interval(secs => $4) where key = $1",
        key, lane, priority, seconds_ago,
    )  # fmt: skip


async def test_claims_go_by_priority_then_by_time_and_follow_the_lane(rig: Rig):
    store = await rig.store()
    first, second, third, later, other = [await rig.pending(name) for name in "abcde"]
    await due(rig, first, priority=0, seconds_ago=1)
    await due(rig, second, priority=2, seconds_ago=9)
    await due(rig, third, priority=2, seconds_ago=5)
    await due(rig, later, priority=4, seconds_ago=99)
    await due(rig, other, lane=0, priority=4, seconds_ago=1)
    assert [row.id for row in await store.claim_due({"d": ""}, 0, 9)] == ["e"]
    taken = [[row.id for row in await store.claim_due({"d": ""}, 1, 1)] for _ in range(5)]
    assert taken == [["a"], ["b"], ["c"], ["d"], []]


async def test_one_claim_takes_of_both_lanes_and_starts_only_as_far_as_there_is_room(rig: Rig):
    store = await rig.store()
    for n in range(4):
        await due(rig, await rig.pending(f"under way {n}"), lane=0, seconds_ago=n)
        await due(rig, await rig.pending(f"start {n}"), seconds_ago=90 + n)
    assert [row.id for row in await store.claim({"d": ""}, {0: 2})] == ["under way 3", "under way 2"]
    rows = await store.claim({"d": ""}, {0: 9, 1: 3})
    assert sorted(row.id for row in rows) == ["start 3", "under way 0", "under way 1"]
    assert await store.claim({"d": ""}, {0: 9}) == []
    assert len(await store.claim({"d": ""}, {0: 9, 1: 9})) == 3


async def test_a_claim_takes_only_what_it_serves_and_what_is_due(rig: Rig):
    store = await rig.store()
    await rig.pending("foreign", definition="other")
    tomorrow, parked, held = [await rig.pending(name) for name in ("tomorrow", "parked", "held")]
    await rig.rows("update {schema}.instances set wake_at = " + FAR + " where key = $1", tomorrow)
    await rig.rows("update {schema}.instances set wake_at = null where key = $1", parked)
    await rig.rows("update {schema}.instances set owner = 999 where key = $1", held)
    assert await store.claim_due({"d": ""}, 1, 9) == []
    assert [row.id for row in await store.claim_due({"other": "", "d": ""}, 1, 9)] == ["foreign"]


async def test_a_claim_says_what_the_new_owner_must_know(rig: Rig):
    fence = await rig.node()
    store = await rig.store(fence)
    key = await rig.pending("new")
    (row,) = await store.claim_due({"d": ""}, 1, 9)
    assert (row.key, row.never_started, row.lost_owner, row.status) == (key, True, None, "running")
    stored = await rig.row(key)
    assert (stored["owner"], stored["node"], stored["started_on"], stored["wake_at"]) == (
        *[fence.number] * 3,
        None,
    )
    assert stored["started_at"] == row.started_at
    assert await declare_dead(rig.address, fence.space, fence.number, None)
    successor = await rig.node()
    claims = await rig.store(successor)
    (again,) = await claims.claim_due({"d": ""}, 0, 9)
    (told_again,) = await claims.owned()
    assert told_again.lost_owner == fence.number, "the answer to a claim may be lost"
    assert (again.never_started, again.lost_owner, again.started_at) == (False, fence.number, row.started_at)
    assert (await rig.row(key))["started_on"] == fence.number, "where it began never changes"


async def claim_all(rig: Rig, store: Any, size: int) -> list[UUID]:
    taken: list[UUID] = []
    while rows := await store.claim_due({"d": ""}, 1, size):
        taken += [row.key for row in rows]
    return taken


async def test_I2_I4_eight_concurrent_claimers_each_row_has_one_owner(rig: Rig):
    keys = await rig.crowd(400)
    stores = [await rig.store(await rig.node(name=f"n{n}")) for n in range(8)]
    taken = await asyncio.gather(*(claim_all(rig, store, 7) for store in stores))
    everything = sorted(key for part in taken for key in part)
    assert everything == sorted(keys), "each exactly once"
    for store, part in zip(stores, taken, strict=True):
        rows = await rig.rows("select key from {schema}.instances where owner = $1", store.fence.number)
        assert {row["key"] for row in rows} == set(part)
    assert sum(1 for part in taken if part) > 1, "nobody waited for another's locks"


async def test_a_claim_that_waits_for_a_locked_row_stalls(rig: Rig):
    """The mutant without `skip locked`: one claim in flight holds up every other."""
    key = await rig.pending()
    holder, waiter = await rig.connect(), await rig.connect()
    async with holder.transaction():
        await holder.fetch(rig.text("select 1 from {schema}.instances where key = $1 for update"), key)
        await waiter.execute("set lock_timeout = '50ms'")
        with pytest.raises(Exception, match="lock timeout"):
            await waiter.fetch(rig.text("select 1 from {schema}.instances where owner is null for update"))
        free = await rig.pending()
        claimed = await (await rig.store()).claim_due({"d": ""}, 1, 9)
        assert [row.key for row in claimed] == [free]


@pytest.mark.parametrize(
    ("status", "started", "kind", "taken"),
    [
        ("pending", False, "cancel", True),
        ("pending", False, "terminate", True),
        ("blocked", True, "cancel", True),
        ("blocked", True, "terminate", True),
        ("waiting", True, "terminate", True),
        ("paused", True, "terminate", True),
        ("waiting", True, "cancel", False),
        ("pending", False, "signal", False),
        ("completed", True, "terminate", False),
    ],
)
async def test_I20_orders_are_claimed_whatever_the_definition(
    rig: Rig, status: str, started: bool, kind: str, taken: bool
):
    store = await rig.store()
    key = await rig.pending(definition="served by nobody")
    await rig.rows(
        "update {schema}.instances set started_at = case when $2 then created_at end, wake_at = null"
        " where key = $1",
        key, started,
    )  # fmt: skip
    await rig.send(key, kind=kind)
    await rig.send(key, kind=kind)
    await rig.rows("update {schema}.instances set status = $2 where key = $1", key, status)
    rows = await store.claim_orders(10)
    assert [row.key for row in rows] == ([key] if taken else [])
    if taken:
        assert rows[0].never_started == (not started)
        assert rows[0].blocked == (status == "blocked")
        assert await store.claim_orders(10) == []


async def test_I20_an_order_to_an_owned_instance_is_its_owners_business(rig: Rig):
    key = await rig.owned(await rig.node())
    await rig.send(key, kind="terminate")
    assert await (await rig.store()).claim_orders(10) == []


@pytest.mark.parametrize("how", ["before", "after"])
async def test_I5_a_claim_of_unknown_outcome_is_found_in_the_rows(rig: Rig, proxy: Proxy, how: Any):
    fence = await rig.node()
    store = await rig.store(fence, proxy.address)
    key = await rig.pending()
    proxy.fault(at_commit(how))
    with pytest.raises(Exception, match="closed"):
        await store.claim_due({"d": ""}, 1, 10)
    owned = [row.key for row in await store.owned()]
    assert owned == ([key] if how == "after" else [])
    again = [row.key for row in await store.claim_due({"d": ""}, 1, 10)]
    assert again == ([] if how == "after" else [key])


async def test_I4_a_node_declared_dead_claims_nothing(rig: Rig):
    fence = await rig.node()
    store = await rig.store(fence)
    key = await rig.pending()
    assert await declare_dead(rig.address, fence.space, fence.number, None)
    assert await store.claim_due({"d": ""}, 1, 10) == []
    await rig.send(key, kind="terminate")
    assert await store.claim_orders(10) == []
    assert (await rig.row(key))["owner"] is None
