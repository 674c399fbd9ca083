"""What is run in a simulation."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import orquestrax as ox
from orquestrax import Retry, step, workflow
from tests.simulation.effects import act, kill


@step
async def work(given: list[str]) -> str:
    return await act(given)


@step
async def slow_work(given: list[str]) -> str:
    return await act(given, longest=20.0)


@step(retry=Retry(attempts=4, initial=0.3, backoff=3, jitter=0))
async def flaky(given: list[str], failures: int) -> str:
    token = await act(given)
    if ox.step_info().attempt <= failures:
        raise ValueError(token)
    return token


@step(at_most_once=True)
async def once(given: list[str]) -> str:
    return await act(given, longest=3.0, once=True)


@step(timeout=0.5)
async def hasty(given: list[str]) -> str:
    return await act(given, longest=2.0)


@step(queue="gpu")
async def far(given: list[str]) -> str:
    return await act(given, longest=6.0)


@step(queue="gpu", retry=Retry(attempts=5, initial=0.02, backoff=4, jitter=0))
async def far_flaky(given: list[str], failures: int) -> str:
    token = await act(given, longest=2.0)
    if ox.step_info().attempt <= failures:
        raise ValueError(token)
    return token


@step(queue="gpu", at_most_once=True)
async def far_once(given: list[str]) -> str:
    return await act(given, longest=6.0, once=True)


@step(queue="nowhere", queue_timeout=1.5)
async def far_off(given: list[str]) -> str:
    return await act(given)


@step(queue="gpu", queue_timeout=2.0, total_timeout=4.0)
async def far_hasty(given: list[str]) -> str:
    return await act(given, longest=6.0)


@step(queue="gpu")
async def far_long(given: list[str]) -> str:
    return await act(given, longest=20.0)


@step
async def lethal(given: list[str], most: int) -> str:
    return await kill(given, most)


@workflow
async def chain(n: int) -> list[str]:
    tokens: list[str] = []
    for _ in range(n):
        tokens.append(await work(tokens[-2:]))
    return tokens


@workflow
async def fan(n: int) -> list[str]:
    first = await work([])
    tokens = await asyncio.gather(*(work([first]) for _ in range(n)), flaky([first], n % 3))
    return [await work(list(tokens))]


@workflow
async def letters(n: int) -> list[int]:
    read = []
    for _ in range(n):
        read.append(await ox.receive("letter", int))
        if len(read) % 2:
            await work([])
    return read


@workflow
async def sleeper(tenths: int) -> list[str]:
    tokens = [await work([])]
    await asyncio.sleep(tenths / 10)
    tokens.append(await flaky(tokens, 2))
    await asyncio.sleep(0.05)
    return [*tokens, await slow_work(tokens)]


@workflow
async def careful(n: int) -> list[str]:
    tokens = [await work([])]
    for _ in range(n):
        try:
            tokens.append(await once(tokens[-1:]))
        except ox.StepInterrupted:
            tokens.append(await work(tokens[-1:]))
    return tokens


@workflow
async def patient(tenths: int) -> str:
    """Races of steps, signals and timers; a cancel is answered by tidying up."""
    tokens: list[str] = []
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(ox.receive("letter", int), tenths / 10)
        try:
            tokens.append(await hasty([]))
        except TimeoutError:
            tokens.append(await work([]))
        with suppress(TimeoutError):
            async with asyncio.timeout(tenths / 20):
                tokens.append(await slow_work(tokens))
        await asyncio.sleep(tenths / 5)
    except asyncio.CancelledError:
        await work(tokens)
        raise
    return "done"


@workflow(timeout=9.0, retry=Retry(attempts=2, initial=1.0, jitter=0))
async def limited(tenths: int) -> str:
    tokens = [await work([])]
    await asyncio.sleep(tenths / 10)
    if ox.info().attempt == 1:
        raise ValueError("once more")
    return await work(tokens)


@workflow
async def spread(n: int) -> list[str]:
    """Many steps in a queue at once, some of which fail at first."""
    first = await work([])
    tokens = await asyncio.gather(*(far([first]) for _ in range(n)), far_flaky([first], n % 4))
    return [await work(list(tokens)), await far_long(list(tokens))]


@workflow
async def hurried(tenths: int) -> str:
    """Steps in queues that nobody takes in time, or that the workflow does not wait for any more."""
    tokens: list[str] = []
    for attempt in (far_off, far_hasty):
        try:
            tokens.append(await attempt(tokens[-1:]))
        except TimeoutError:
            tokens.append(await work(tokens[-1:]))
    with suppress(TimeoutError):
        tokens.append(await asyncio.wait_for(far_long(tokens), tenths / 10))
    await far(tokens)
    return "done"


@workflow
async def devoted(n: int) -> list[str]:
    """At-most-once steps in a queue."""
    tokens = [await work([])]
    for _ in range(n):
        try:
            tokens.append(await far_once(tokens[-1:]))
        except ox.StepInterrupted:
            tokens.append(await far(tokens[-1:]))
    return tokens


@workflow
async def poison(n: int) -> list[str]:
    """A step that ends the first n nodes that run it."""
    tokens = [await work([])]
    try:
        tokens.append(await lethal(tokens, n))
    except ox.StepInterrupted:
        tokens.append(await work(tokens))
    return tokens


FLOWS = {
    flow.name: flow
    for flow in (
        chain, fan, letters, sleeper, careful, patient, limited, spread, hurried, devoted, poison,
    )
}  # fmt: skip
