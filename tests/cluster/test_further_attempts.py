"""The attempt behind one that failed: it is neither forgotten while it waits, nor stopped for the one before it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

import orquestrax as ox
from orquestrax import Retry
from orquestrax.core.store.taskverbs import TaskStore
from orquestrax.model.events import STEP_RETRYING
from orquestrax.model.jobs import BodyKey
from orquestrax.model.tasks import TaskMessage
from tests.checker import check_instance
from tests.cluster.conftest import Cluster
from tests.engine.until import until_status

began: list[str] = []
gates: dict[str, asyncio.Event] = {}


@pytest.fixture(autouse=True)
def _gates() -> None:
    """What each body waits for."""
    began.clear()
    gates.update({name: asyncio.Event() for name in ("load 1", "print 1", "print 2", "pack 1")})


async def _body(name: str) -> str:
    began.append(f"{name} {ox.step_info().attempt}")
    await gates[began[-1]].wait()
    return began[-1]


async def _began(*names: str) -> bool:
    return began == list(names)


@ox.step(retry=Retry(attempts=3, initial=0.01, jitter=0))
async def prints() -> None:
    if await _body("print") == "print 1":
        raise ValueError("no paper")


@ox.step
async def loads() -> None:
    await _body("load")


@ox.step
async def packs() -> None:
    await _body("pack")


@ox.workflow
async def labels() -> None:
    await asyncio.gather(loads(), prints())


@ox.workflow
async def parcels() -> None:
    await packs()


async def test_I8_a_further_attempt_that_waits_for_a_slot_is_still_that_one_after_a_pause(
    cluster: Cluster,
) -> None:
    """Its slot goes to another step when the first attempt has failed; a body that runs keeps the instance here."""
    client = await cluster.join(labels, parcels, slots=2)
    dispatcher = cluster.nodes[0].incarnation.orchestrator.dispatcher

    async def waits_for_a_slot(n: int) -> bool:
        return dispatcher.backlog == n

    label = await client.start(labels, id="label")
    await cluster.until(lambda: _began("load 1", "print 1"))
    parcel = await client.start(parcels, id="parcel")
    await cluster.until(lambda: waits_for_a_slot(1))
    gates["print 1"].set()
    await cluster.until(lambda: _began("load 1", "print 1", "pack 1"))
    await cluster.until(lambda: waits_for_a_slot(1))
    await label.pause()
    await until_status(label, "paused")
    await label.resume()
    await until_status(label, "running")
    for gate in gates.values():
        gate.set()
    await asyncio.gather(label.result(15), parcel.result(15))
    assert began == ["load 1", "print 1", "pack 1", "print 2"]
    await check_instance(client, labels, "label")


async def test_I8_a_body_is_not_stopped_for_the_attempt_before_it_of_which_its_node_does_not_know_that_it_is_told(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt is taken from the queue, the second one runs on the same node as its instance's own."""
    tell, held = TaskStore.tell, TaskStore.held
    committed, answer = asyncio.Event(), asyncio.Event()

    async def slow(store: TaskStore, messages: Sequence[TaskMessage]) -> dict[BodyKey, int | None]:
        heard = await tell(store, messages)
        if any(message.kind == STEP_RETRYING for message in messages):
            committed.set()
            await answer.wait()
        return heard

    async def late(store: TaskStore) -> dict[BodyKey, int]:
        if committed.is_set():
            await cluster.until(lambda: _began("load 1", "print 1", "print 2"))
        return await held(store)

    monkeypatch.setattr(TaskStore, "tell", slow)
    monkeypatch.setattr(TaskStore, "held", late)
    client = await cluster.join(labels, slots=1)
    await cluster.join(steps=[packs], roles="worker")  # serves the same queue, and does not know these steps
    node = cluster.nodes[0].incarnation
    await cluster.until(lambda: asyncio.sleep(0, node.orchestrator.dispatcher.peers.shares("default")))
    run = await client.start(labels, id="label")
    await cluster.until(cluster.tasks)
    gates["load 1"].set()
    await cluster.until(lambda: _began("load 1", "print 1"))
    gates["print 1"].set()
    await cluster.until(lambda: _began("load 1", "print 1", "print 2"))
    await committed.wait()
    await cluster.until(lambda: asyncio.sleep(0, all(task.attempt > 1 for task in node.queues.held.values())))
    answer.set()
    gates["print 2"].set()
    await run.result(15)
    assert began == ["load 1", "print 1", "print 2"]
    await check_instance(client, labels, "label")
