"""Run W1 to W4 and W7, print a table and JSON. `python -m bench [rounds]`."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from typing import Any

import asyncpg
import uvloop

from bench.cold import cold_and_warm
from bench.measure import Cost, measured
from bench.running import running_node
from bench.workloads import fan_out, noop, one_step, run_many, run_one, ten_steps


def _per(cost: Cost, units: int, steps: int = 1) -> dict[str, float]:
    """Costs per workflow, and per step where it has several."""
    return {
        "per_second": round(units * steps / cost.seconds, 1),
        "python_us": round(cost.python / units / steps * 1e6, 1),
        "commits": round(cost.commits / units, 3),
        "rows": round(cost.rows / units / steps, 2),
        "wal_bytes": round(cost.wal / units / steps),
    }


async def _round(client: Any, dsn: str) -> dict[str, dict[str, float]]:
    results: dict[str, dict[str, float]] = {}
    async with measured(dsn) as cost:
        await run_many(client, one_step, 10_000, 500)
    results["W1 one-step workflows/s"] = _per(cost, 10_000)
    async with measured(dsn) as cost:
        await run_many(client, ten_steps, 3_000, 500)
    results["W2 sequential steps/s"] = _per(cost, 3_000, 10)
    for width in (1_000, 10_000):
        async with measured(dsn) as cost:
            seconds = await run_one(client, fan_out, width)
        results[f"W3 {width} parallel steps"] = {"seconds": round(seconds, 4), **_per(cost, 1, width)}
    times = sorted([await run_one(client, noop) for _ in range(500)])
    results["W4 one no-op, idle"] = {
        "p50_ms": round(times[250] * 1e3, 3),
        "p99_ms": round(times[495] * 1e3, 3),
    }
    return results


async def _engine(rounds: int) -> tuple[str, list[dict[str, dict[str, float]]]]:
    async with running_node() as (client, dsn):
        await run_many(client, one_step, 500, 100)
        measurements = [await _round(client, dsn) for _ in range(rounds)]
        connection = await asyncpg.connect(dsn)
        server = await connection.fetchval("show server_version")
        await connection.close()
    return server, measurements


def _summary(measurements: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, list[float]]]:
    """Minimum, median and maximum of every figure."""
    table: dict[str, dict[str, list[float]]] = {}
    for name, figures in measurements[0].items():
        table[name] = {}
        for figure in figures:
            values = sorted(round_[name][figure] for round_ in measurements)
            table[name][figure] = [values[0], statistics.median(values), values[-1]]
    return table


def main() -> None:
    """Print the table, then the same as JSON."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    server, measurements = uvloop.run(_engine(rounds))
    starts = [cold_and_warm() for _ in range(rounds)]
    table = _summary(measurements)
    for name, column in (("cold", 0), ("warm", 1)):
        values = sorted(round(start[column], 3) for start in starts)
        table[f"W7 {name} start to the first finished workflow"] = {
            "seconds": [values[0], statistics.median(values), values[-1]]
        }
    print(f"Python {platform.python_version()}, PostgreSQL {server}, {os.cpu_count()} cores, {rounds} rounds")
    print(f"{'':44} {'figure':12} {'min':>10} {'median':>10} {'max':>10}")
    for name, figures in table.items():
        for figure, (low, middle, high) in figures.items():
            print(f"{name:44} {figure:12} {low:10g} {middle:10g} {high:10g}")
    print(
        json.dumps(
            {"python": platform.python_version(), "postgresql": server, "rounds": rounds, "results": table}
        )
    )


if __name__ == "__main__":
    main()
