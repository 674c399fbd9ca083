"""Attempts that wait for a slot when their instance is paused."""

from __future__ import annotations

import asyncio

import pytest

import orquestrax as ox
from orquestrax import Retry
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


async def _began(*names: str) -> bool:
    return began == list(names)
