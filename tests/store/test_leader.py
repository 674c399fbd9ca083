"""The lead: one node at a time does the upkeep, and it stops to believe so before anybody else can."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from orquestrax.cluster.leader import TRUSTED, Leader
from orquestrax.core.store.database import connect
from tests.store.support import Rig

LEASE = 1.0


class Host:
    """A node's clock, which stands still or jumps when the test says so."""

    def __init__(self) -> None:
        self.behind = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.behind


@pytest.fixture
async def connection(rig: Rig):
    opened = await connect(rig.address)
    yield opened
    opened.terminate()


async def standing(rig: Rig, clock: Host | None = None) -> Leader:
    """A registered node that has not asked yet."""
    fence = await rig.node()
    return Leader(rig.address.schema, fence.number, LEASE, clock=clock or Host())


async def until_leads(leader: Leader, connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(20):
        while not leader.leads:
            await leader.look(connection, 5)
            await asyncio.sleep(0.01)


async def test_one_leads_and_keeps_the_lead_as_long_as_it_renews(
    rig: Rig, connection: asyncpg.Connection
) -> None:
    first, second = await standing(rig), await standing(rig)
    await first.look(connection, 5)
    assert first.leads
    for _ in range(30):
        await asyncio.sleep(LEASE / 15)
        await first.look(connection, 5)
        await second.look(connection, 5)
        assert (first.leads, second.leads, first.term) == (True, False, 1)


async def test_a_leader_that_is_gone_is_followed_by_another_term(
    rig: Rig, connection: asyncpg.Connection
) -> None:
    first, second = await standing(rig), await standing(rig)
    await first.look(connection, 5)
    began = asyncio.get_running_loop().time()
    await until_leads(second, connection)
    assert LEASE * 0.99 < asyncio.get_running_loop().time() - began < LEASE + 5
    assert (first.leads, second.term) == (False, 2)


async def test_trust_ends_before_the_lease_does(rig: Rig, connection: asyncpg.Connection) -> None:
    clock = Host()
    first, second = await standing(rig, clock), await standing(rig)
    await first.look(connection, 5)
    clock.behind += LEASE * TRUSTED
    assert not first.leads
    await second.look(connection, 5)
    assert not second.leads, "the database still keeps the lead for the first"


async def test_a_leader_that_was_frozen_does_not_believe_in_its_lead(
    rig: Rig, connection: asyncpg.Connection
) -> None:
    clock = Host()
    first, second = await standing(rig, clock), await standing(rig)
    await first.look(connection, 5)
    await until_leads(second, connection)
    assert not first.leads
    clock.behind += 60
    await first.look(connection, 5)
    assert (first.leads, first.term, second.leads) == (False, 1, True)


async def test_a_node_that_was_declared_dead_does_not_lead(rig: Rig, connection: asyncpg.Connection) -> None:
    leader = await standing(rig)
    await rig.rows(f"update \"{rig.address.schema}\".nodes set status = 'dead'")
    await leader.look(connection, 5)
    assert not leader.leads
