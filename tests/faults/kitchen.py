"""The kitchen sink: one workflow that uses everything an engine has to carry over a crash."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import orquestrax as ox
from orquestrax import Retry, step, workflow

bodies: Counter[tuple[str, str]] = Counter()
"""How often each body ran, by (idempotency key, step): effects outside the database."""
LARGE = 300_000


def _ran() -> ox.StepInfo:
    info = ox.step_info()
    bodies[info.idempotency_key, info.step] += 1
    return info


@step
async def add(a: int, b: int) -> int:
    _ran()
    return a + b


@step
def in_thread(n: int) -> int:
    _ran()
    time.sleep(0.002)
    return n * n


@step(retry=Retry(attempts=3, initial=0.005, jitter=0))
async def flaky(word: str) -> str:
    if _ran().attempt < 3:
        raise ValueError(f"not yet, {word}")
    return word.upper()


@step(timeout=0.02)
async def slow() -> str:
    _ran()
    await asyncio.sleep(30)
    return "never"


@step
async def large(size: int) -> str:
    _ran()
    return "x" * size


@step
async def endless() -> None:
    _ran()
    await asyncio.sleep(30)


@step(raises=(KeyError,))
async def missing(key: str) -> str:
    _ran()
    raise KeyError(key)


@workflow
async def kitchen_sink(n: int) -> dict[str, object]:
    seen: dict[str, object] = {"sum": await add(n, 1)}
    squares = await asyncio.gather(*(in_thread(i) for i in range(3)))
    seen["squares"] = squares
    async with asyncio.TaskGroup() as group:
        word = group.create_task(flaky("soup"))
        payload = group.create_task(large(LARGE))
    seen["word"], seen["large"] = word.result(), len(payload.result())
    try:
        await slow()
    except TimeoutError:
        seen["slow"] = "timed out"
    try:
        await missing("salt")
    except KeyError as error:
        seen["missing"] = error.args[0]
    try:
        async with asyncio.timeout(0.02):
            await endless()
    except TimeoutError:
        seen["endless"] = "cut"
    await asyncio.sleep(0.02)
    seen["approval"] = await ox.receive("approval", bool)
    try:
        await asyncio.wait_for(ox.receive("never", int), 0.02)
    except TimeoutError:
        seen["never"] = "no signal"
    cancelled = asyncio.create_task(endless())
    await asyncio.sleep(0)
    cancelled.cancel()
    try:
        await cancelled
    except asyncio.CancelledError:
        seen["task"] = "cancelled"
    return seen


EXPECTED = {
    "sum": 8,
    "squares": [0, 1, 4],
    "word": "SOUP",
    "large": LARGE,
    "slow": "timed out",
    "missing": "salt",
    "endless": "cut",
    "approval": True,
    "never": "no signal",
    "task": "cancelled",
}
