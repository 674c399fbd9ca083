"""I22: limits reject before anything is written."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

import orquestrax as ox
from tests.checker import check_instance
from tests.engine.conftest import QUICK, Bench


@ox.step
async def nothing() -> None:
    return None


@ox.step
async def huge(size: int) -> str:
    return "x" * size


@ox.workflow
async def endless() -> None:
    while True:
        await nothing()


@ox.workflow
async def takes(value: str) -> int:
    return len(value)


@ox.workflow
async def makes(size: int) -> int:
    return len(await huge(size))


@ox.workflow
async def listens() -> None:
    await ox.receive("never")


async def test_I22_a_payload_over_the_limit_is_refused_and_nothing_written(bench: Bench) -> None:
    client = await bench.node(takes)
    with pytest.raises(ox.PayloadTooLarge, match="2"):
        await client.start(takes, "x" * 3_000_000, id="big")
    assert await client.list() == []


async def test_I22_a_result_over_the_limit_fails_the_step_alone(bench: Bench) -> None:
    client = await bench.node(makes)
    run = await client.start(makes, 3_000_000)
    with pytest.raises(ox.WorkflowFailed, match="PayloadTooLarge"):
        await run.result(20)


async def test_I22_a_history_has_an_end(bench: Bench) -> None:
    client = await bench.node(endless)
    assert bench.nodes[0].incarnation is not None
    bench.nodes[0].incarnation.orchestrator.turns.history_limit = 50
    run = await client.start(endless, id="e")
    with pytest.raises(ox.WorkflowTerminated):
        await run.result(20)
    assert "limit of 50 events" in (await run.history())[-1].data["reason"]
    await check_instance(client, endless, "e")


async def test_I22_an_inbox_is_bounded_but_takes_orders(bench: Bench) -> None:
    outsider = await bench.node()
    run = await outsider.start(listens, id="l")
    await bench.query(
        "insert into {schema}.inbox (instance, number, kind, name, message) "
        "select $1, n, 'signal', 'spam', n::text from generate_series(1, 10000) as n",
        run.key,
    )
    await bench.query("update {schema}.instances set mail = 10000 where key = $1", run.key)
    with pytest.raises(ox.InvalidInput, match="10,000 messages"):
        await run.signal("spam")
    await bench.node(listens)
    await run.terminate()
    with pytest.raises(ox.WorkflowTerminated):
        await run.result(20)


class Counted(dict[Any, Any]):
    """Knows how many there have been at once."""

    most = 0

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.most = max(self.most, len(self))


async def test_I22_a_node_holds_no_more_instances_than_it_may(bench: Bench) -> None:
    """Whatever waits, waits in the database; each end makes room for another."""
    gate = asyncio.Event()

    @ox.step
    async def held() -> None:
        await gate.wait()

    @ox.workflow
    async def holds() -> None:
        await held()

    await bench.node(holds, options=msgspec.structs.replace(QUICK, capacity=10))
    assert bench.nodes[0].incarnation is not None
    held_here = bench.nodes[0].incarnation.orchestrator.memory.executions = Counted()
    outsider = await bench.node()
    runs = [await outsider.start(holds, id=f"h{n}") for n in range(40)]
    async with asyncio.timeout(20):
        while held_here.most < 9:  # a tenth is kept for what is under way
            await asyncio.sleep(0.01)
    gate.set()
    for run in runs:
        await run.result(20)
    assert held_here.most <= 10
