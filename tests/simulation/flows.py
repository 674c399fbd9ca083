"""What is run in a simulation, and what its bodies leave outside of the database.

Every body returns a token that no other run of a body returns, and is given tokens of steps before it. So a body that
acted on something that was never committed can be told by the token that it was given.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orquestrax as ox
from orquestrax import Retry, step, workflow
from tests.checker import Body
from tests.simulation.process import NodeProcess
from tests.simulation.world import World


@dataclass
class Effects:
    """The bodies that began, in the order of their beginning."""

    world: World
    nodes: dict[Any, NodeProcess] = field(default_factory=dict)
    bodies: list[Body] = field(default_factory=list)


_effects: list[Effects] = []  # of the simulation that runs now


def use(effects: Effects) -> None:
    """What bodies do goes there from now on."""
    _effects[:] = [effects]


async def _act(given: list[str], *, longest: float = 0.05) -> str:
    """A body: it is noted down before it takes any time."""
    effects, info = _effects[0], ox.step_info()
    node = effects.nodes[asyncio.get_running_loop()]
    token = f"{info.instance_id}/{info.command}.{info.attempt}#{len(effects.bodies)}"
    effects.bodies.append(
        Body(
            at=effects.world.time, node=node.fence or 0, instance=info.instance_id, command=info.command,
            attempt=info.attempt, given=tuple(given), token=token,
        )
    )  # fmt: skip
    await asyncio.sleep(effects.world.random.random() ** 4 * longest)
    return token


@step
async def work(given: list[str]) -> str:
    return await _act(given)


@step
async def slow_work(given: list[str]) -> str:
    return await _act(given, longest=20.0)


@step(retry=Retry(attempts=4, initial=0.3, backoff=3, jitter=0))
async def flaky(given: list[str], failures: int) -> str:
    token = await _act(given)
    if ox.step_info().attempt <= failures:
        raise ValueError(token)
    return token


@step(at_most_once=True)
async def once(given: list[str]) -> str:
    return await _act(given, longest=3.0)


@step(timeout=0.5)
async def hasty(given: list[str]) -> str:
    return await _act(given, longest=2.0)


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


FLOWS = {flow.name: flow for flow in (chain, fan, letters, sleeper, careful, patient, limited)}
