"""`@workflow(timeout=…)`: a whole run ends in time, whatever it is doing, and may clean up."""

from __future__ import annotations

import asyncio
import time

import pytest

import orquestrax as ox
from orquestrax import Retry
from orquestrax.model import events
from orquestrax.node import EngineOptions
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.until import until_event, until_status

PARKING = EngineOptions(poll=0.1, park_after=0.0)
MODES = pytest.mark.parametrize("options", [EngineOptions(poll=0.1), PARKING], ids=["held", "parked"])
cleaned: list[str] = []


@ox.step
async def forever() -> None:
    await asyncio.sleep(3600)


@ox.step
async def clean_up() -> None:
    cleaned.append(ox.step_info().instance_id)


@ox.workflow(timeout=1.2)
async def sleeps() -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        await clean_up()


@ox.workflow(timeout=1.2)
async def works() -> None:
    await forever()


@MODES
@pytest.mark.parametrize("workflow", [sleeps, works], ids=["timer", "step"])
async def test_I20_a_run_ends_within_five_seconds_of_its_time_limit(
    bench: Bench, options: EngineOptions, workflow: ox.Workflow
) -> None:
    client = await bench.node(workflow, options=options)
    cleaned.clear()
    begun = time.monotonic()
    run = await client.start(workflow, id="t")
    with pytest.raises(ox.WorkflowTimedOut, match=r"t: the workflow ran longer than 1.2 s in all") as raised:
        await run.result(20)
    assert 1.1 <= time.monotonic() - begun <= 1.2 + 5
    assert isinstance(raised.value, TimeoutError)
    view = await client.view("t")
    assert (view.status, view.deadline) == ("failed", view.created_at + 1_200_000)
    assert cleaned == (["t"] if workflow is sleeps else [])
    history = await check_instance(client, workflow, "t")
    assert sum(e.type == events.TIMED_OUT for e in history) == 1


async def test_the_limit_holds_over_a_crash(bench: Bench) -> None:
    client = await bench.node(sleeps)
    run = await client.start(sleeps, id="c")
    await until_status(run, "waiting")
    await bench.crash()
    client = await bench.node(sleeps)
    with pytest.raises(ox.WorkflowTimedOut):
        await (await client.get("c")).result(20)
    await check_instance(client, sleeps, "c")


@ox.workflow(timeout=0.3)
async def says_something() -> str:
    try:
        await ox.receive("never")
    except asyncio.CancelledError:
        return "what there was"
    return "all"


async def test_code_that_takes_the_cancellation_may_still_return(bench: Bench) -> None:
    client = await bench.node(says_something)
    assert await (await client.start(says_something, id="s")).result(20) == "what there was"
    await check_instance(client, says_something, "s")


@ox.workflow(timeout=0.3)
async def never_ends() -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


async def test_code_that_does_not_end_is_ended_after_the_grace(bench: Bench) -> None:
    client = await bench.node(never_ends)
    incarnation = bench.nodes[-1].incarnation
    assert incarnation is not None
    incarnation.orchestrator.turns.grace = 300_000
    run = await client.start(never_ends, id="n")
    with pytest.raises(ox.WorkflowTimedOut):
        await run.result(20)
    history = await check_instance(client, never_ends, "n")
    assert events.decode(history[-1]).unrun
    assert history[-1].at - history[0].at >= 300_000


@ox.workflow(timeout=0.6, retry=Retry(attempts=100, initial=0.25, backoff=1, jitter=0))
async def keeps_failing() -> None:
    raise ValueError("the reason")


@ox.workflow(timeout=1.0, retry=Retry(attempts=9, initial=0.1, jitter=0))
async def fails_then_hangs() -> None:
    if ox.info().attempt == 1:
        raise ValueError("first")
    await ox.receive("never")


async def test_the_limit_is_for_all_attempts_together(bench: Bench) -> None:
    client = await bench.node(keeps_failing, fails_then_hangs)
    with pytest.raises(
        ox.WorkflowFailed, match="the reason"
    ):  # no time for another: the failure itself is told
        await (await client.start(keeps_failing, id="k")).result(20)
    assert 1 <= sum(e.type == events.ATTEMPT_FAILED for e in await client.history("k")) <= 2
    with pytest.raises(ox.WorkflowTimedOut):
        await (await client.start(fails_then_hangs, id="f")).result(20)
    await check_instance(client, fails_then_hangs, "f")


@ox.workflow(name="elsewhere", timeout=0.5)
async def elsewhere() -> None:
    await ox.receive("never")


@ox.workflow
async def unrelated() -> None: ...


async def test_I20_pending_instances_that_nobody_serves_end_in_time(bench: Bench) -> None:
    client = await bench.node(unrelated)
    run = await client.start(elsewhere, id="p")
    with pytest.raises(ox.WorkflowTimedOut):
        await run.result(20)
    assert (await client.view("p")).started_at is None
    await check_instance(client, elsewhere, "p")


async def test_a_start_without_the_code_takes_the_limit_of_the_definition(bench: Bench) -> None:
    await bench.node(elsewhere)
    await bench.stop()
    client = await bench.node(unrelated)
    run = await client.start_encoded("elsewhere", "", b"[]", b"0" * 16, id="e")
    view = await client.view("e")
    assert view.deadline is not None
    assert abs(view.deadline - view.created_at - 500_000) < 10_000
    with pytest.raises(ox.WorkflowTimedOut):
        await run.result(20)


async def test_I20_a_blocked_instance_ends_in_time(bench: Bench) -> None:
    first = changing("first")
    client = await bench.node(first)
    run = await client.start(first, id="b")
    await until_status(run, "waiting")
    await bench.crash()
    client = await bench.node(changing("second"))
    run = await client.get("b")
    await until_status(run, "blocked")
    with pytest.raises(ox.WorkflowTimedOut):
        await run.result(20)
    assert (await client.view("b")).status == "failed"


def changing(word: str) -> ox.Workflow:
    async def code() -> None:
        if word == "first":
            await clean_up()
        await ox.receive("go")

    return ox.workflow(name="changing", timeout=2.5)(code)


async def test_a_crash_while_cleaning_up_goes_on_cleaning_up(bench: Bench) -> None:
    client = await bench.node(cleans_slowly)
    run = await client.start(cleans_slowly, id="x")
    await until_event(run, events.TIMED_OUT)
    await bench.crash()
    client = await bench.node(cleans_slowly)
    with pytest.raises(ox.WorkflowTimedOut):
        await (await client.get("x")).result(20)
    history = await check_instance(client, cleans_slowly, "x")
    assert sum(e.type == events.TIMED_OUT for e in history) == 1


@ox.workflow(timeout=0.3)
async def cleans_slowly() -> None:
    try:
        await ox.receive("never")
    finally:
        await asyncio.sleep(1.0)
