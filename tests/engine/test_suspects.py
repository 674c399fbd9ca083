"""I18: what the deaths of nodes are held against is what may have been running on them, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import orquestrax as ox
from orquestrax.base.errors import WorkflowFailed
from orquestrax.client.client import Client
from orquestrax.node import EngineOptions
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.until import until_so, until_status

KEEPS = EngineOptions(poll=0.1, park_after=10**9)  # it stays in memory, whatever it waits for
bodies: list[str] = []


@ox.step
async def hangs(name: str) -> None:
    bodies.append(name)
    await asyncio.Event().wait()


@ox.workflow
async def culprit(name: str) -> None:
    await hangs(name)


@ox.workflow
async def sleeps(name: str) -> str:
    await asyncio.sleep(3600)
    return name


@ox.workflow
async def listens(name: str) -> str:
    return name + await asyncio.wait_for(ox.receive("go", str), 3600)


async def begun(name: str, times: int) -> None:
    await until_so(lambda: bodies.count(name) == times)


async def row_of(bench: Bench, id_: str) -> Any:
    (row,) = await bench.query("select * from {schema}.instances where id = $1", id_)
    return row


async def rebuilt(bench: Bench, id_: str, deaths: int) -> None:
    """Wait until it goes on after so many deaths, and says so."""
    text = (
        "select from {schema}.events as e join {schema}.instances as i on i.key = e.instance"
        " where i.id = $1 and e.type = 'taken_over'"
    )
    async with asyncio.timeout(15):
        while len(await bench.query(text, id_)) < deaths:
            await asyncio.sleep(0.01)


async def test_I18_a_body_that_ends_its_nodes_is_convicted_by_what_it_began(bench: Bench):
    client = await bench.node(culprit)
    run = await client.start(culprit, "guilty", id="guilty")
    for times in (1, 2, 3):
        await begun("guilty", times)
        await bench.crash()
        client = await bench.node(culprit)
    run = await client.get("guilty", culprit)
    await until_status(run, "blocked")
    types = [event.type for event in await run.history()]
    assert types[1:] == ["taken_over", "taken_over", "step_started"], (
        "in its trial it says first what it begins"
    )
    await run.terminate()
    await until_status(run, "terminated")


@pytest.mark.parametrize("flow", [sleeps, listens], ids=lambda flow: flow.name)
async def test_I18_who_only_waits_is_no_suspect(bench: Bench, flow: ox.Workflow[[str], str]):
    """However many nodes die beside it."""
    client = await bench.node(flow, options=KEEPS)
    await until_status(await client.start(flow, "x", id="x"), "waiting")
    for deaths in range(1, 6):
        await bench.crash()
        client = await bench.node(flow, options=KEEPS)
        await rebuilt(bench, "x", deaths)
        assert (await row_of(bench, "x"))["suspicion"] <= 1, "the first may have been its first turn"
    await (await client.get("x", flow)).terminate()
    await until_status(await client.get("x", flow), "terminated")


async def test_I18_who_waits_for_a_queue_is_tried_and_never_convicted(bench: Bench):
    """Its step is nowhere: no node that died has run anything of it."""
    await (await bench.node(culprit, roles="engine")).start(culprit, "queued", id="queued")
    for deaths in range(1, 6):
        await bench.crash()
        client = await bench.node(culprit, roles="engine")
        await rebuilt(bench, "queued", deaths)
        row = await row_of(bench, "queued")
        assert (row["status"], row["suspicion"]) == ("running", min(deaths, 2))
    assert "queued" not in bodies
    await (await client.get("queued", culprit)).terminate()
    await until_status(await client.get("queued", culprit), "terminated")


async def test_I18_a_step_is_suspected_of_what_its_instance_did_before_it_was_handed_out(bench: Bench):
    """Two nodes that ran it themselves, then one that took it from the queue: three, not five."""
    await (await bench.node(culprit)).start(culprit, "handed", id="handed")
    await begun("handed", 1)
    await bench.crash()
    await bench.node(culprit)
    await begun("handed", 2)
    await bench.crash()
    client = await bench.node(culprit, roles="engine")
    await rebuilt(bench, "handed", 2)
    (task,) = await bench.query("select lane, suspicion from {schema}.tasks")
    assert (task["lane"], task["suspicion"]) == (2, 2)
    await bench.node(culprit, roles="worker")
    await begun("handed", 3)
    await bench.crash()
    await bench.node(culprit, roles="worker")
    await ends_interrupted(client, "handed")
    assert bodies.count("handed") == 3
    await check_instance(client, culprit, "handed")


async def ends_interrupted(client: Client, id_: str) -> None:
    run = await client.get(id_, culprit)
    with pytest.raises(WorkflowFailed, match="3 nodes in a row"):
        await run.result(15)
