"""Draining: nothing more starts, what does not run is handed over at once, what runs may end. No body runs again."""

from __future__ import annotations

import asyncio

import pytest

import orquestrax as ox
from orquestrax.node import Node
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.gated import passes, ran, until_ran
from tests.engine.until import until_event, until_status

pytestmark = pytest.mark.usefixtures("gate")


@ox.step
async def gated(name: str) -> str:
    return await passes(name)


@ox.step(at_most_once=True)
async def only_once(name: str) -> str:
    return await passes(name)


@ox.workflow
async def two_steps() -> list[str]:
    return [await gated("first"), await gated("second")]


@ox.workflow
async def begun_once() -> list[str]:
    return [await only_once("first"), await only_once("second")]


@ox.workflow
async def naps() -> str:
    await asyncio.sleep(2.0)
    return "rested"


async def nodes_of(client: ox.Client, id_: str) -> list[str]:
    """Where the steps of an instance ran whose results count."""
    return [event.data["node"] for event in await client.history(id_) if event.type == "step_completed"]


async def statuses(client: ox.Client) -> dict[int, str]:
    return {node.fence: node.status for node in await client.store.nodes()}


async def leaving(bench: Bench, *workflows: ox.Workflow[..., object]) -> tuple[Node, Node, ox.Client]:
    """A node that everything runs on, another one that idles, and a client beside both of them."""
    await bench.node(*workflows)
    first = bench.nodes[-1]
    await bench.node(*workflows)
    return first, bench.nodes[-1], await bench.node()


@pytest.mark.parametrize("workflow", [two_steps, begun_once], ids=["step", "at-most-once"])
async def test_I8_a_drained_node_ends_its_bodies_and_the_other_goes_on(
    bench: Bench, gate: asyncio.Event, workflow: ox.Workflow[[], list[str]]
) -> None:
    first, second, outsider = await leaving(bench, workflow)
    old, new = first.name, second.name
    run = await first.client.start(workflow, id="d")
    await until_ran("first")
    fence = first.fence
    assert fence is not None
    assert await outsider.store.drain([fence]) == [old]
    async with asyncio.timeout(20):
        while (await statuses(outsider))[
            fence
        ] != "draining" or not first.incarnation.orchestrator.turns.acting.draining:
            await asyncio.sleep(0.01)
    late = await first.client.start(workflow, id="late")
    await until_ran("first", "first")
    gate.set()
    assert await run.result(20) == await late.result(20) == ["first", "second"]
    async with asyncio.timeout(20):
        await first.drained.wait()
    assert ran == ["first", "first", "second", "second"]
    assert await nodes_of(outsider, "d") == [old, new], "what ran may end, what comes after runs on the other"
    assert await nodes_of(outsider, "late") == [new, new]
    assert (await statuses(outsider))[fence] == "stopped"
    for id_ in ("d", "late"):
        history = await check_instance(outsider, workflow, id_)
        assert "taken_over" not in [event.type for event in history]


async def test_what_does_not_run_is_handed_over_at_once(bench: Bench, gate: asyncio.Event) -> None:
    """A timer in the memory of a draining node fires on the other one, while a body still runs here."""
    first, second, outsider = await leaving(bench, naps, two_steps)
    busy = await first.client.start(two_steps, id="busy")
    nap = await first.client.start(naps, id="nap")
    await until_ran("first")
    await until_status(nap, "waiting")
    stopping = asyncio.create_task(first.stop(grace=20))
    bench.nodes.remove(first)
    async with asyncio.timeout(20):
        while (await outsider.view("nap")).owner != second.fence:
            await asyncio.sleep(0.01)
    assert (await outsider.view("busy")).owner == first.fence
    assert await (await outsider.get("nap", naps)).result(20) == "rested"
    gate.set()
    assert await (await outsider.get("busy", two_steps)).result(20) == ["first", "second"]
    await stopping
    assert ran == ["first", "second"]
    assert busy.id == "busy"


async def test_what_has_not_ended_in_time_runs_again_elsewhere(bench: Bench, gate: asyncio.Event) -> None:
    first, second, outsider = await leaving(bench, two_steps)
    new = second.name
    await first.client.start(two_steps, id="d")
    await until_ran("first")
    bench.nodes.remove(first)
    await first.stop(grace=0.1)
    await until_ran("first", "first")
    gate.set()
    assert await (await outsider.get("d", two_steps)).result(20) == ["first", "second"]
    assert ran == ["first", "first", "second"]
    assert await nodes_of(outsider, "d") == [new, new]
    await check_instance(outsider, two_steps, "d")


async def test_I20_orders_and_signals_reach_a_draining_node(bench: Bench) -> None:
    first, _, outsider = await leaving(bench, two_steps)
    await first.client.start(two_steps, id="d")
    await until_ran("first")
    stopping = asyncio.create_task(first.stop(grace=20))
    bench.nodes.remove(first)
    run = await outsider.get("d", two_steps)
    await run.cancel("no more")
    with pytest.raises(ox.WorkflowCancelled):
        await run.result(20)
    await stopping
    assert len(ran) == 1


async def test_a_paused_instance_stays_paused_over_a_drain(bench: Bench, gate: asyncio.Event) -> None:
    first, _, outsider = await leaving(bench, two_steps)
    run = await first.client.start(two_steps, id="d")
    await until_ran("first")
    await run.pause()
    await until_status(run, "paused")
    stopping = asyncio.create_task(first.stop(grace=20))
    bench.nodes.remove(first)
    gate.set()
    await stopping
    run = await outsider.get("d", two_steps)
    await until_event(run, "step_kept")
    view = await outsider.view("d")
    assert (view.status, view.owner, view.wake_at) == ("paused", None, None)
    await run.resume()
    assert await run.result(20) == ["first", "second"]
    assert len(ran) == 2
