"""`at_most_once=True`: step_started is committed before the body; what was lost is not run again."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

import orquestrax as ox
from orquestrax import Retry
from orquestrax.base import faultpoint
from orquestrax.model import events
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.until import until_event

bodies: Counter[str] = Counter()


@ox.step(at_most_once=True)
async def once(hold: bool) -> str:
    bodies[ox.step_info().instance_id] += 1
    if hold:
        await asyncio.sleep(3600)
    return "done"


@ox.workflow
async def pays(hold: bool) -> str:
    try:
        return await once(hold)
    except ox.StepInterrupted as error:
        return f"asks a person: {error.step}"


async def test_it_is_written_down_before_it_begins(bench: Bench) -> None:
    client = await bench.node(pays)
    assert await (await client.start(pays, False, id="o")).result(20) == "done"
    history = await check_instance(client, pays, "o")
    assert [event.type for event in history] == ["step_started", "step_completed", "completed"]


async def test_I8_a_body_that_was_lost_with_its_node_is_not_run_again(bench: Bench) -> None:
    bodies.clear()
    client = await bench.node(pays)
    run = await client.start(pays, True, id="l")
    await until_event(run, events.STEP_STARTED)
    async with asyncio.timeout(20):
        while not bodies["l"]:
            await asyncio.sleep(0.01)
    await bench.crash()
    client = await bench.node(pays)
    assert await (await client.get("l")).result(20) == "asks a person: once"
    assert bodies["l"] == 1
    await check_instance(client, pays, "l")


@pytest.mark.parametrize("boundary", ["journal.before_commit", "journal.after_commit"])
async def test_I8_lost_between_the_commit_and_the_body_it_has_not_run_and_will_not(
    bench: Bench, boundary: str
) -> None:
    """The second commit of the instance is that of its step_started: before it, the step is run after all."""
    bodies.clear()
    client = await bench.node(pays)
    reached = Counter[str]()
    lost = asyncio.Event()

    def stop_there(name: str) -> None:
        reached[name] += 1
        if name == boundary and reached[name] == 2:
            incarnation = bench.nodes[-1].incarnation
            assert incarnation is not None
            incarnation.abandon()
            lost.set()
            raise ConnectionError(name)

    with faultpoint.armed(stop_there):
        await client.start(pays, False, id="b")
        async with asyncio.timeout(20):
            await lost.wait()
    await bench.crash()
    client = await bench.node(pays)
    result = await (await client.get("b")).result(20)
    if boundary == "journal.before_commit":
        assert (result, bodies["b"]) == ("done", 1)
    else:
        assert (result, bodies["b"]) == ("asks a person: once", 0)
    await check_instance(client, pays, "b")


@ox.step(at_most_once=True, retry=Retry(attempts=3, initial=0.01))
async def refuses_twice() -> int:
    bodies["refused"] += 1
    if ox.step_info().attempt < 3:
        raise ValueError("refused")
    return ox.step_info().attempt


@ox.step(at_most_once=True, retry=Retry(attempts=3, initial=0.01), timeout=0.05)
async def too_slow() -> None:
    bodies["slow"] += 1
    await asyncio.sleep(3600)


@ox.workflow
async def retries() -> tuple[int, str]:
    attempts = await refuses_twice()
    try:
        await too_slow()
    except TimeoutError as error:
        return attempts, type(error).__name__
    return attempts, "in time"


async def test_known_failures_are_retried_and_time_limits_are_not(bench: Bench) -> None:
    bodies.clear()
    client = await bench.node(retries)
    assert await (await client.start(retries, id="r")).result(20) == (3, "StepTimedOut")
    assert (bodies["refused"], bodies["slow"]) == (3, 1)
    history = await check_instance(client, retries, "r")
    assert sum(event.type == events.STEP_STARTED for event in history) == 4


@ox.step(at_most_once=True)
async def waits_for_nothing() -> None:
    await asyncio.sleep(3600)


@ox.workflow
async def two_of_them() -> list[str]:
    outcomes = await asyncio.gather(once(True), waits_for_nothing(), return_exceptions=True)
    return [type(outcome).__name__ for outcome in outcomes]


async def test_all_that_were_lost_are_told(bench: Bench) -> None:
    client = await bench.node(two_of_them)
    run = await client.start(two_of_them, id="2")
    await until_event(run, events.STEP_STARTED, 2)
    await bench.crash()
    client = await bench.node(two_of_them)
    assert await (await client.get("2")).result(20) == ["StepInterrupted", "StepInterrupted"]
    await check_instance(client, two_of_them, "2")
