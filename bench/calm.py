"""W1 to W4 in many short rounds, calm ones apart: `python -m bench.calm [rounds]`.

On a shared machine a core is slowed for moments, which no counter shows. A fixed loop of Python before and after each
round does: a round is calm if neither took much longer than the quickest loop of the whole run. Printed are the least,
the median and the most of the calm rounds, how many those were, and the median of all rounds beside them.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import uvloop

from bench.running import running_node
from bench.workloads import fan_out, noop, one_step, run_many, run_one, ten_steps

TOLERANCE: Final = 1.15
"""So much longer than the quickest loop may the loops around a calm round take."""


class Round(NamedTuple):
    """One measurement, and the slower of the loops around it in seconds."""

    figure: float
    loop: float


async def _one_step(client: Any) -> float:
    began = time.perf_counter()
    await run_many(client, one_step, 1_500, 500)
    return 1_500 / (time.perf_counter() - began)


async def _ten_steps(client: Any) -> float:
    began = time.perf_counter()
    await run_many(client, ten_steps, 600, 600)
    return 6_000 / (time.perf_counter() - began)


async def _fan_out(client: Any) -> float:
    return await run_one(client, fan_out, 1_000)


async def _noop(client: Any) -> float:
    return statistics.median([await run_one(client, noop) for _ in range(50)]) * 1e3


WORKLOADS: Final[dict[str, Callable[[Any], Awaitable[float]]]] = {
    "W1, one-step workflows/s": _one_step,
    "W2, sequential steps/s": _ten_steps,
    "W3, seconds for 1,000 steps": _fan_out,
    "W4, ms for a no-op, idle": _noop,
}


def loop_seconds() -> float:
    """A fixed piece of Python work, about 10 ms."""
    began, seen = time.perf_counter(), dict[int, tuple[int, str]]()
    for number in range(80_000):
        seen[number & 255] = (number, str(number))
    return time.perf_counter() - began


async def _measure(rounds: int) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {name: [] for name in WORKLOADS}
    async with running_node() as (client, _dsn):
        await run_many(client, one_step, 2_000, 500)
        for _ in range(rounds):
            for name, workload in WORKLOADS.items():
                before = loop_seconds()
                figure = await workload(client)
                found[name].append(Round(figure, max(before, loop_seconds())))
    return found


def main() -> None:
    """Print a line for each workload."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    found = uvloop.run(_measure(rounds))
    quickest = min(round_.loop for each in found.values() for round_ in each)
    print(f"{'':30}{'least':>10}{'median':>10}{'most':>10}   calm rounds   median of all")
    for name, each in found.items():
        calm = sorted(round_.figure for round_ in each if round_.loop <= quickest * TOLERANCE)
        everything = statistics.median(round_.figure for round_ in each)
        figures = [calm[0], statistics.median(calm), calm[-1]] if calm else [float("nan")] * 3
        line = "".join(f"{figure:>10.4g}" for figure in figures)
        print(f"{name:30}{line}   {len(calm):>4} of {len(each):<4}{everything:>16.4g}")


if __name__ == "__main__":
    main()
