"""A paused instance's steps wait in the cluster's queues."""

from __future__ import annotations

import asyncio

import pytest

import orquestrax as ox
from tests.checker import check_instance
from tests.cluster.conftest import Cluster
from tests.engine.until import until_event, until_status

began: list[int] = []
gates: list[asyncio.Event] = []


@pytest.fixture(autouse=True)
def gate() -> asyncio.Event:
    """What all bodies wait for."""
    began.clear()
    gates[:] = [asyncio.Event()]
    return gates[0]


@ox.step(queue="warehouse")
async def pack(n: int) -> int:
    began.append(n)
    await gates[0].wait()
    return n


@ox.workflow
async def packs(width: int) -> int:
    return sum(await asyncio.gather(*(pack(n) for n in range(width))))


async def test_I8_a_step_that_runs_here_is_not_handed_over_by_a_resume(
    cluster: Cluster, gate: asyncio.Event
) -> None:
    """Its own body has taken the last slot: that is no reason to look for another node."""
    client = await cluster.join(packs, queues="warehouse", slots=1)
    await cluster.join(steps=[pack], roles="worker", queues="warehouse")
    peers = cluster.nodes[0].incarnation.orchestrator.dispatcher.peers
    async with asyncio.timeout(20):
        while not peers.shares("warehouse"):
            await asyncio.sleep(0.01)
    run = await client.start(packs, 1, id="r")
    async with asyncio.timeout(20):
        while not began:
            await asyncio.sleep(0.01)
    await run.pause()
    await until_status(run, "paused")
    await run.resume()
    await until_event(run, "resumed")
    assert await cluster.tasks() == []
    gate.set()
    assert await run.result(20) == 0
    assert began == [0]
    await check_instance(client, packs, "r")


@pytest.mark.parametrize("parks", [False, True], ids=["busy", "parked"])
async def test_steps_in_a_queue_wait_for_the_resume(
    cluster: Cluster, gate: asyncio.Event, parks: bool
) -> None:
    """One of three runs on another node and may end; the others are taken by nobody before the resume."""
    client = await cluster.join(packs, roles="engine")
    if not parks:
        await cluster.join(steps=[pack], roles="worker", queues="warehouse:1")
    run = await client.start(packs, 3, id="p")
    async with asyncio.timeout(20):
        while len(await cluster.tasks()) < 3 or (not parks and not began):
            await asyncio.sleep(0.01)
    await run.pause()
    await until_status(run, "paused")
    if parks:
        await cluster.join(steps=[pack], roles="worker", queues="warehouse:1")
    gate.set()
    async with asyncio.timeout(20):
        while len(await cluster.tasks()) > (3 if parks else 2):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # several polls of the worker
    assert len(began) == (0 if parks else 1)
    await run.resume()
    assert await run.result(20) == 3
    assert sorted(began) == [0, 1, 2]
    await until_event(run, "resumed")
    await check_instance(client, packs, "p")
