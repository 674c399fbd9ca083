"""The child's side: an engine as four coroutine functions, driven alike, told about on stdout. No dependencies.

One line of JSON comes in for each measurement, `{"workload": "W1", "total": 2000, "in_flight": 500}`, and one goes
out: `{"seconds": 3.1}`, for W4 `{"seconds": …, "times": […]}`. The first line out says what runs here.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What is measured; None where an engine has no such thing."""

    versions: dict[str, str]
    settings: str
    one_step: Callable[[int], Awaitable[Any]]
    ten_steps: Callable[[int], Awaitable[Any]] | None
    fan_out: Callable[[int], Awaitable[Any]]
    noop: Callable[[], Awaitable[Any]]


async def serve(engine: Engine) -> None:
    """Answer until stdin ends."""
    await _warm_up(engine)
    offers = ["W1", "W3", "W4"] + (["W2"] if engine.ten_steps else [])
    _say({"versions": engine.versions, "settings": engine.settings, "offers": sorted(offers)})
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        began = time.perf_counter()
        times = await _measure(engine, **request)
        _say({"seconds": time.perf_counter() - began, "times": times})


async def _warm_up(engine: Engine) -> None:
    await _many(engine.one_step, 50, 10, lambda n: {"n": n})
    await _none(engine, 5)


async def _measure(engine: Engine, workload: str, total: int, in_flight: int) -> list[float]:
    if workload == "W1":
        await _many(engine.one_step, total, in_flight, lambda n: {"n": n})
    elif workload == "W2":
        assert engine.ten_steps is not None
        await _many(engine.ten_steps, total, in_flight, lambda n: n + 45)
    elif workload == "W3":
        _check(await engine.fan_out(total), total)
    else:
        return await _none(engine, total)
    return []


async def _many(
    start: Callable[[int], Awaitable[Any]], total: int, in_flight: int, right: Callable[[int], Any]
) -> None:
    left = iter(range(total))

    async def worker() -> None:
        for n in left:
            _check(await start(n), right(n))

    await asyncio.gather(*(worker() for _ in range(in_flight)))


async def _none(engine: Engine, total: int) -> list[float]:
    times = []
    for _ in range(total):
        began = time.perf_counter()
        _check(await engine.noop(), 1)
        times.append(time.perf_counter() - began)
    return times


def _check(got: Any, right: Any) -> None:
    if got != right:
        raise AssertionError(f"a wrong result: {got!r} instead of {right!r}")


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
