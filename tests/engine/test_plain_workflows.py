"""Plain `def` workflows on a node: the same histories, waits, crashes and cancels as an `async def`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import orquestrax as ox
from orquestrax import Retry, step, workflow
from orquestrax.model import events
from orquestrax.model.events import Event
from orquestrax.node import EngineOptions
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.until import until_event, until_status

PARKING = EngineOptions(poll=0.1, park_after=0.0)


@step
async def double(n: int) -> int:
    return 2 * n


@step
def undo(n: int) -> None: ...


@step(raises=(KeyError,))
def missing(key: str) -> str:
    raise KeyError(key)


@workflow(name="sums")
def plain_sums(n: int) -> list[int]:
    first = double.call(n)
    try:
        missing.call("salt")
    except KeyError:
        second, third = ox.await_(asyncio.gather(double(first), double(n)))
    return [first, second, third, ox.await_(ox.receive("more", int))]


@workflow(name="sums")
async def async_sums(n: int) -> list[int]:
    first = await double(n)
    try:
        await missing("salt")
    except KeyError:
        second, third = await asyncio.gather(double(first), double(n))
    return [first, second, third, await ox.receive("more", int)]


@workflow
def careful(n: int) -> int:
    first = double.call(n)
    try:
        ox.await_(asyncio.sleep(3600))
    finally:
        undo.call(first)
    return first


tries: list[str] = []


@step
async def try_number() -> int:
    tries.append(ox.step_info().instance_id)
    return len(tries)


@workflow(retry=Retry(attempts=2, initial=0.01, jitter=0))
def second_time_lucky() -> int:
    number = try_number.call()
    if number == 1:
        raise ValueError("not yet")
    return number


@workflow(timeout=0.3)
def too_long(n: int) -> None:
    try:
        ox.await_(asyncio.sleep(3600))
    finally:
        undo.call(n)


def content(history: list[Event]) -> list[Any]:
    """A history without times, nodes, texts of tracebacks and the order of steps that ran at a time."""
    told = []
    for event in history:
        data: Any = events.decode(event)
        if event.type in (events.STEP_COMPLETED, events.STEP_FAILED):
            told.append((event.type, data.command, data.step, data.attempt, bytes(data.result or b"")))
        else:
            told.append((event.type, getattr(data, "result", None)))
    return sorted(told, key=repr)


@pytest.mark.parametrize("options", [EngineOptions(poll=0.1), PARKING], ids=["held", "parked"])
async def test_I19_its_history_is_that_of_the_async_def(bench: Bench, options: EngineOptions) -> None:
    histories = []
    for each in (plain_sums, async_sums):
        client = await bench.node(each, options=options)
        run = await client.start(each, 2, id=each.fn.__name__)
        await until_status(run, "waiting")
        await run.signal("more", 9)
        assert await run.result(20) == [4, 8, 4, 9]
        histories.append(await check_instance(client, each, run.id))
        await bench.stop()
    assert content(histories[0]) == content(histories[1])
    ends = [(history[-1].issued, history[-1].trail) for history in histories]
    assert ends[0] == ends[1]


async def test_I19_a_plain_def_goes_on_with_what_an_async_def_began(bench: Bench) -> None:
    client = await bench.node(async_sums)
    run = await client.start(async_sums, 2, id="turncoat")
    await until_status(run, "waiting")
    await bench.crash()
    client = await bench.node(plain_sums)
    run = await client.get("turncoat", plain_sums)
    await run.signal("more", 9)
    assert await run.result(20) == [4, 8, 4, 9]
    await check_instance(client, plain_sums, "turncoat")


async def test_it_is_shown_where_it_waits(bench: Bench) -> None:
    client = await bench.node(careful, options=PARKING)
    run = await client.start(careful, 2, id="shown")
    await until_status(run, "waiting")
    (wait,) = (await run.status()).waits
    line = careful.fn.__code__.co_firstlineno + 4
    assert (wait["kind"], wait["file"], wait["line"]) == ("timer", __file__, line)


@pytest.mark.parametrize("options", [EngineOptions(poll=0.1), PARKING], ids=["held", "parked"])
async def test_I20_a_cancel_is_raised_at_the_call(bench: Bench, options: EngineOptions) -> None:
    client = await bench.node(careful, options=options)
    run = await client.start(careful, 2, id="cancelled")
    await until_status(run, "waiting")
    await run.cancel()
    with pytest.raises(ox.WorkflowCancelled):
        await run.result(20)
    history = await check_instance(client, careful, "cancelled")
    steps = [events.decode(event).step for event in history if event.type == events.STEP_COMPLETED]
    assert steps == ["double", "undo"]


async def test_I7_after_a_crash_it_goes_on_where_it_was(bench: Bench) -> None:
    client = await bench.node(careful)
    run = await client.start(careful, 2, id="crashed")
    await until_event(run, events.STEP_COMPLETED)
    await bench.crash()
    client = await bench.node(careful)
    run = await client.get("crashed", careful)
    await run.cancel()
    with pytest.raises(ox.WorkflowCancelled):
        await run.result(20)
    history = await check_instance(client, careful, "crashed")
    ended = [events.decode(event) for event in history if event.type == events.STEP_COMPLETED]
    assert [(each.step, each.attempt) for each in ended] == [("double", 1), ("undo", 1)]


async def test_a_failed_run_is_run_again(bench: Bench) -> None:
    tries.clear()
    client = await bench.node(second_time_lucky)
    run = await client.start(second_time_lucky, id="lucky")
    assert await run.result(20) == 2
    assert tries == ["lucky", "lucky"]
    await check_instance(client, second_time_lucky, "lucky")


async def test_a_time_limit_of_the_whole_run_is_a_cancel_where_it_waits(bench: Bench) -> None:
    client = await bench.node(too_long)
    run = await client.start(too_long, 2, id="late")
    with pytest.raises(ox.WorkflowTimedOut, match=r"longer than 0\.3 s"):
        await run.result(15)
    history = await check_instance(client, too_long, "late")
    steps = [events.decode(event).step for event in history if event.type == events.STEP_COMPLETED]
    assert steps == ["undo"]
