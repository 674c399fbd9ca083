"""`@workflow(retry=…)`: a failed run is run again from its input, in the same instance."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

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
QUICK = Retry(attempts=3, initial=0.05, jitter=0)
bodies: Counter[str] = Counter()
seen: list[tuple[int, UUID, float]] = []


class Hopeless(Exception): ...


@ox.step
async def count(word: str) -> int:
    bodies[f"{ox.step_info().instance_id} {word}"] += 1
    return bodies[f"{ox.step_info().instance_id} {word}"]


@ox.workflow(retry=QUICK)
async def third_time(word: str) -> list[int]:
    counted = [await count(word)]
    seen.append((ox.info().attempt, ox.uuid4(), ox.random().random()))
    if ox.info().attempt < 3:
        raise ValueError(f"attempt {ox.info().attempt}")
    return [*counted, await count(word)]


@MODES
async def test_a_failed_run_is_run_again_and_its_steps_too(bench: Bench, options: EngineOptions) -> None:
    client = await bench.node(third_time, options=options)
    bodies.clear()
    seen.clear()
    assert await (await client.start(third_time, "w", id="t")).result(20) == [3, 4]
    history = await check_instance(client, third_time, "t")
    failed = [events.decode(e) for e in history if e.type == events.ATTEMPT_FAILED]
    started = [events.decode(e) for e in history if e.type == events.ATTEMPT_STARTED]
    assert [(f.attempt, s.attempt) for f, s in zip(failed, started, strict=True)] == [(1, 2), (2, 3)]
    ends = [events.decode(e).command for e in history if e.type == events.STEP_COMPLETED]
    assert ends == sorted(set(ends)), "no number twice"
    live = {attempt: (made, number) for attempt, made, number in seen}
    assert len({made for made, _ in live.values()}) == len({number for _, number in live.values()}) == 3
    assert len(set(seen)) == 3, "in replay they are the same"


@ox.workflow(retry=QUICK)
async def always_fails() -> None:
    await count("fails")
    raise ValueError("no good")


async def test_the_last_failure_is_the_end(bench: Bench) -> None:
    client = await bench.node(always_fails)
    with pytest.raises(ox.WorkflowFailed, match="no good"):
        await (await client.start(always_fails, id="a")).result(20)
    history = await check_instance(client, always_fails, "a")
    assert sum(e.type == events.ATTEMPT_FAILED for e in history) == 2


@ox.workflow(retry=Retry(attempts=5, initial=0, never=(Hopeless,)))
async def gives_up() -> None:
    raise Hopeless("at once")


@ox.workflow(retry=Retry(attempts=2, initial=3600, jitter=0))
async def asks_for_soon() -> int:
    if ox.info().attempt == 1:
        raise ox.RetryAfter(0.05)
    return ox.info().attempt


@ox.workflow(retry=Retry(attempts=50, initial=0.1, backoff=1, jitter=0, max_elapsed=0.25))
async def for_a_while() -> None:
    raise ValueError("still not")


async def test_never_retry_after_and_max_elapsed(bench: Bench) -> None:
    client = await bench.node(gives_up, asks_for_soon, for_a_while)
    with pytest.raises(ox.WorkflowFailed, match="at once"):
        await (await client.start(gives_up, id="g")).result(20)
    assert not [e for e in await client.history("g") if e.type == events.ATTEMPT_FAILED]
    assert await (await client.start(asks_for_soon, id="s")).result(20) == 2
    with pytest.raises(ox.WorkflowFailed, match="still not"):
        await (await client.start(for_a_while, id="w")).result(20)
    assert 1 <= sum(e.type == events.ATTEMPT_FAILED for e in await client.history("w")) <= 2


@ox.workflow(retry=Retry(attempts=3, initial=0.5, jitter=0))
async def takes_one() -> list[str]:
    got = [await ox.receive("item", str)]
    if ox.info().attempt < 3:
        raise ValueError("with the first")
    return [*got, await ox.receive("item", str)]


@MODES
async def test_I10_what_no_attempt_took_is_there_for_the_next(bench: Bench, options: EngineOptions) -> None:
    client = await bench.node(takes_one, options=options)
    run = await client.start(takes_one, id="s")
    for item in "abc":
        await run.signal("item", item, message_id=item)
    await until_event(run, events.ATTEMPT_FAILED)
    await run.signal("item", "d", message_id="d")  # between two attempts
    await run.signal("item", "a", message_id="a")  # the sender tries again
    assert await run.result(20) == ["c", "d"]
    history = await check_instance(client, takes_one, "s")
    assert sum(e.type == events.SIGNAL for e in history) == 4


@ox.workflow(retry=Retry(attempts=2, initial=3600, jitter=0))
async def rests() -> None:
    raise ValueError("rests")


@pytest.mark.parametrize("how", ["cancel", "terminate"])
@MODES
async def test_I20_an_order_between_two_attempts_ends_it(
    bench: Bench, options: EngineOptions, how: str
) -> None:
    client = await bench.node(rests, options=options)
    run = await client.start(rests, id="r")
    await until_status(run, "waiting")
    await (run.cancel() if how == "cancel" else run.terminate())
    with pytest.raises(ox.WorkflowCancelled if how == "cancel" else ox.WorkflowTerminated):
        await run.result(20)
    await check_instance(client, rests, "r")


async def test_a_parked_back_off_survives_its_node(bench: Bench) -> None:
    options = EngineOptions(poll=0.1, park_after=0.0)
    client = await bench.node(comes_back, options=options)
    run = await client.start(comes_back, id="p")
    await until_status(run, "waiting")
    view = await client.view("p")
    failed = next(e for e in await client.history("p") if e.type == events.ATTEMPT_FAILED)
    assert view.owner is None
    assert view.wake_at == failed.data["due"]
    await bench.crash()
    client = await bench.node(comes_back, options=options)
    assert await (await client.get("p")).result(20) == 2
    await check_instance(client, comes_back, "p")


@ox.workflow(retry=Retry(attempts=2, initial=2.0, jitter=0))
async def comes_back() -> int:
    if ox.info().attempt == 1:
        raise ValueError("not yet")
    return ox.info().attempt


async def test_a_crash_in_a_later_attempt_replays_only_that_one(bench: Bench) -> None:
    client = await bench.node(held_up)
    run = await client.start(held_up, id="h")
    await until_event(run, events.ATTEMPT_STARTED)
    await until_event(run, events.STEP_COMPLETED, 2)
    begun.clear()
    await bench.crash()
    client = await bench.node(held_up)
    run = await client.get("h", held_up)
    await run.signal("go")
    assert await run.result(20) == 2
    assert begun == [2]
    await check_instance(client, held_up, "h")


begun: list[int] = []


@ox.workflow(retry=QUICK)
async def held_up() -> int:
    begun.append(ox.info().attempt)
    await count("held")
    if ox.info().attempt == 1:
        raise ValueError("once more")
    await ox.receive("go")
    return ox.info().attempt


@ox.step(retry=Retry(attempts=2, initial=0.01))
async def fails_once() -> None:
    if ox.step_info().attempt == 1:
        raise ValueError("first")


@ox.workflow
async def retried_long_ago() -> None:
    await fails_once()
    await ox.receive("go")


async def test_a_retry_of_long_ago_keeps_no_instance_in_memory(bench: Bench) -> None:
    client = await bench.node(retried_long_ago)
    run = await client.start(retried_long_ago, id="l")
    await until_event(run, events.STEP_COMPLETED)
    await until_status(run, "waiting")
    await bench.crash()
    client = await bench.node(retried_long_ago)
    run = await client.get("l", retried_long_ago)
    await run.signal("other")
    await until_event(run, events.SIGNAL)
    async with asyncio.timeout(20):
        while (await client.view("l")).owner is not None:
            await asyncio.sleep(0.02)
    await run.signal("go")
    await run.result(20)
