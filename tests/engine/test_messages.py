"""Signals, cancel and terminate, on instances in every state."""

from __future__ import annotations

import asyncio

import pytest

import orquestrax as ox
from orquestrax.node import EngineOptions
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.until import until_event, until_status

PARKING = EngineOptions(poll=0.1, park_after=0.0)


@ox.step
async def forever() -> None:
    await asyncio.sleep(3600)


@ox.workflow
async def collects(n: int) -> list[int]:
    return [await ox.receive("item", int) for _ in range(n)]


@ox.workflow
async def waits_long() -> str:
    try:
        await asyncio.sleep(3600)
    finally:
        await clean_up()
    return "slept"


cleaned: list[str] = []


@ox.step
async def clean_up() -> None:
    cleaned.append(ox.step_info().instance_id)


@ox.workflow
async def runs_a_step() -> None:
    await forever()


@pytest.mark.parametrize("options", [EngineOptions(poll=0.1), PARKING], ids=["held", "parked"])
async def test_I10_signals_arrive_once_and_in_order(bench: Bench, options: EngineOptions) -> None:
    client = await bench.node(collects, options=options)
    run = await client.start(collects, 5, id="c")
    for n in range(5):
        await run.signal("item", n, message_id=f"m{n}")
        if n == 2:
            await run.signal("item", n, message_id="m2")  # the sender tries again
    assert await run.result(20) == [0, 1, 2, 3, 4]
    await check_instance(client, collects, "c")


async def test_I11_signals_that_race_with_the_end_are_handled_or_reported(bench: Bench) -> None:
    client = await bench.node(collects)
    for attempt in range(10):
        run = await client.start(collects, 1, id=f"race-{attempt}")
        sent = await asyncio.gather(*(run.signal("item", n) for n in range(6)), return_exceptions=True)
        await run.result(20)
        accepted = sum(not isinstance(answer, ox.InstanceEnded) for answer in sent)
        history = await run.history()
        unhandled = history[-1].data.get("unhandled", [])
        taken = sum(event.type == "signal_received" for event in history)
        in_history = sum(entry["message"] in {e.data.get("message") for e in history} for entry in unhandled)
        assert taken + len(unhandled) - in_history == accepted
        await check_instance(client, collects, run.id)


async def test_I20_cancel_lets_the_code_clean_up(bench: Bench) -> None:
    client = await bench.node(waits_long)
    run = await client.start(waits_long, id="w")
    await until_status(run, "waiting")
    await run.cancel("not needed")
    with pytest.raises(ox.WorkflowCancelled):
        await run.result(20)
    assert cleaned == ["w"]
    await check_instance(client, waits_long, "w")


async def test_I20_terminate_runs_no_code(bench: Bench) -> None:
    client = await bench.node(waits_long, runs_a_step)
    cleaned.clear()
    for workflow in (waits_long, runs_a_step):
        run = await client.start(workflow, id=workflow.name)
        await until_status(run, "waiting", "running")
        await run.terminate("enough")
        with pytest.raises(ox.WorkflowTerminated):
            await run.result(20)
        assert (await run.history())[-1].data["reason"] == "enough"
        await check_instance(client, workflow, run.id)
    assert cleaned == []


@pytest.mark.parametrize("order", ["cancel", "terminate"])
async def test_I20_orders_end_a_pending_instance_that_nobody_serves(bench: Bench, order: str) -> None:
    anyone = await bench.node(collects)
    outsider = await bench.node()
    run = await outsider.start(runs_a_step, id="p")
    assert (await run.status()).status == "pending"
    await getattr(run, order)("no")
    with pytest.raises((ox.WorkflowCancelled, ox.WorkflowTerminated)):
        await run.result(20)
    assert (await run.status()).status == {"cancel": "cancelled", "terminate": "terminated"}[order]
    await check_instance(anyone, runs_a_step, "p")


async def test_I11_an_ended_instance_takes_no_message(bench: Bench) -> None:
    client = await bench.node(collects)
    run = await client.start(collects, 0, id="e")
    await run.result(20)
    for send in (run.signal("item", 1), run.cancel(), run.terminate()):
        with pytest.raises(ox.InstanceEnded):
            await send


async def test_a_payload_of_the_wrong_type_is_visible_and_skippable(bench: Bench) -> None:
    @ox.workflow
    async def picky() -> int:
        while True:
            try:
                return await ox.receive("n", int)
            except ox.PayloadError:
                continue

    client = await bench.node(picky)
    run = await client.start(picky)
    await run.signal("n", "seven")
    await run.signal("n", 7)
    assert await run.result(20) == 7
    assert sum(event.type == "signal_received" for event in await run.history()) == 2


async def test_a_cancelled_step_is_told_and_its_late_outcome_does_not_count(bench: Bench) -> None:
    ended = asyncio.Event()

    @ox.step
    async def stubborn() -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.set()
        return "late"

    @ox.workflow
    async def impatient() -> str:
        try:
            async with asyncio.timeout(0.1):
                return await stubborn()
        except TimeoutError:
            return "gave up"

    client = await bench.node(impatient)
    run = await client.start(impatient, id="i")
    assert await run.result(20) == "gave up"
    async with asyncio.timeout(20):
        await ended.wait()
    types = [event.type for event in await check_instance(client, impatient, "i")]
    assert types == ["timer_fired", "step_cancelled", "completed"]


async def test_I2_the_same_start_is_one_instance_and_another_input_a_conflict(bench: Bench) -> None:
    client = await bench.node(collects)
    outsider = await bench.node()
    runs = await asyncio.gather(
        *(c.start(collects, 1, id="once") for c in (client, outsider) for _ in range(10))
    )
    assert len({run.key for run in runs}) == 1
    with pytest.raises(ox.Conflict, match="another input"):
        await client.start(collects, 2, id="once")
    with pytest.raises(ox.Conflict, match="belongs to an instance of 'collects'"):
        await outsider.start(waits_long, id="once")
    assert len(await client.list()) == 1


async def test_I12_parked_timers_fire_after_they_are_due_and_soon(bench: Bench) -> None:
    @ox.workflow
    async def naps(seconds: float) -> float:
        began = ox.now()
        await asyncio.sleep(seconds)
        return (ox.now() - began).total_seconds()

    client = await bench.node(naps, options=PARKING)
    runs = [await client.start(naps, 0.1 * n) for n in range(1, 8)]
    await until_event(runs[0], "completed")
    for n, run in enumerate(runs, start=1):
        slept = await run.result(20)
        assert 0.1 * n <= slept < 0.1 * n + 2
