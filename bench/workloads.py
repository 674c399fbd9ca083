"""W1 to W4 as workflows, and how each is driven. One process: client, engine and worker."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orquestrax as ox


@ox.step
async def small(n: int) -> dict[str, int]:
    """A step that returns a small JSON."""
    return {"n": n}


@ox.workflow
async def noop() -> int:
    """W4: no step at all."""
    return 1


@ox.workflow
async def one_step(n: int) -> dict[str, int]:
    """W1: one step."""
    return await small(n)


@ox.workflow
async def ten_steps(n: int) -> int:
    """W2: ten steps, one after the other."""
    total = n
    for i in range(10):
        total += (await small(i))["n"]
    return total


@ox.workflow
async def fan_out(width: int) -> int:
    """W3: many steps at once."""
    return len(await asyncio.gather(*(small(i) for i in range(width))))


ALL = (noop, one_step, ten_steps, fan_out)


async def run_one(client: ox.Client, workflow: Any, *args: Any) -> float:
    """Start one, await its result; returns the seconds that took."""
    began = time.perf_counter()
    run = await client.start(workflow, *args)
    await run.result()
    return time.perf_counter() - began


async def run_many(client: ox.Client, workflow: Any, total: int, in_flight: int) -> None:
    """Run `total` instances, `in_flight` at a time."""
    left = iter(range(total))

    async def worker() -> None:
        for n in left:
            await run_one(client, workflow, n)

    await asyncio.gather(*(worker() for _ in range(in_flight)))
