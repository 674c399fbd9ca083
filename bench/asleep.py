"""W6: instances asleep, and many of them due at once. `python -m bench.asleep [asleep] [due]`.

asleep  how many are parked (100,000 unless told, a million is what the node is made for)
due     how many of them are due at the same moment (a tenth)

One instance is parked by the engine itself; the others are copies of its row. Prints how much memory of the node each
takes, how late the first, the median and the last timer fired, how many a second were claimed and ended, and how long
a claim took in each tenth of the drain: what claims leave behind must not slow down those that come.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

import asyncpg
import psutil
import uvloop

import orquestrax as ox
from bench.running import started_node
from orquestrax.core.store.nodeverbs import NodeStore
from orquestrax.model.rows import InstanceRow

NIGHT = 86_400
SOON = 5  # seconds from the copying to the moment when they are due
SETTLE = 3  # seconds, so that the node has looked a few times


@ox.workflow
async def nap(seconds: int) -> int:
    """Sleeps, and ends."""
    await asyncio.sleep(seconds)
    return seconds


COPY = """
    insert into bench.instances (key, id, definition, version, status, lane, priority, wake_at, created_at, started_at,
                                 started_on, digest, input, waits)
    select gen_random_uuid(), 'nap-' || n, definition, version, status, lane, priority,
           wake_at + make_interval(secs => n), created_at, started_at + make_interval(secs => n), started_on,
           digest, input, waits
    from bench.instances, generate_series(1, $1::integer) as n where id = 'first'
"""
DUE = """
    update bench.instances set wake_at = $1::timestamptz, started_at = $1::timestamptz - make_interval(secs => $2)
    where key in (select key from bench.instances where id <> 'first' order by key limit $3)
"""
LATENESS = """
    select count(*) as fired, min(late) as first, percentile_cont(0.5) within group (order by late) as median,
           percentile_cont(0.99) within group (order by late) as p99, max(late) as last
    from (select extract(epoch from at - $1)::float8 as late from bench.events where type = 'timer_fired') as fired
"""


class Claims:
    """Times each claim that took something."""

    def __init__(self, store: NodeStore) -> None:
        self.seconds: list[float] = []
        self._claim = store.claim
        store.claim = self._timed  # type: ignore[method-assign]

    async def _timed(self, definitions: Mapping[str, str], room: Mapping[int, int]) -> list[InstanceRow]:
        began = time.perf_counter()
        rows = await self._claim(definitions, room)
        if rows:
            self.seconds.append(time.perf_counter() - began)
        return rows

    def tenths(self) -> list[float]:
        """Medians in milliseconds."""
        size = max(1, len(self.seconds) // 10)
        parts = [self.seconds[n : n + size] for n in range(0, len(self.seconds), size)]
        return [round(statistics.median(part) * 1e3, 1) for part in parts[:10]]


async def _until(connection: asyncpg.Connection, query: str, wanted: int) -> None:
    while await connection.fetchval(query) < wanted:  # noqa: ASYNC110 - no signal tells it
        await asyncio.sleep(0.2)


async def _park(client: ox.Client, connection: asyncpg.Connection, total: int) -> None:
    await client.start(nap, NIGHT, id="first")
    await _until(connection, "select count(*) from bench.instances where owner is null", 1)
    await connection.execute(COPY, total)
    await connection.execute("vacuum analyze bench.instances")


async def measure(total: int, due: int) -> dict[str, Any]:
    """On an embedded server of its own."""
    me = psutil.Process()
    async with started_node([nap]) as (node, client, dsn):
        assert node.incarnation is not None
        memory = node.incarnation.orchestrator.memory
        connection = await asyncpg.connect(dsn)
        await client.list(limit=1)
        await asyncio.sleep(SETTLE)
        before = me.memory_info().rss
        await _park(client, connection, total)
        await asyncio.sleep(SETTLE)
        figures: dict[str, Any] = {"asleep": total, "due": due, "held in memory": len(memory.executions)}
        figures["bytes each"] = round((me.memory_info().rss - before) / total, 2)
        figures |= await _wake(connection, Claims(node.incarnation.store), due)
        figures["load"] = [round(load, 1) for load in os.getloadavg()]
        await connection.close()
    return figures


async def _wake(connection: asyncpg.Connection, claims: Claims, due: int) -> dict[str, Any]:
    """All of these at the same moment, until the last of them has ended."""
    me = psutil.Process()
    moment = await connection.fetchval("select now() + make_interval(secs => $1)", float(SOON + due / 20_000))
    await connection.execute(DUE, moment, float(NIGHT), due)
    moment = max(
        moment, await connection.fetchval("select clock_timestamp()")
    )  # a slow update makes them due later
    await asyncio.sleep(
        await connection.fetchval("select extract(epoch from $1 - clock_timestamp())::float8", moment)
    )
    began, spent = time.perf_counter(), sum(me.cpu_times()[:2])
    await _until(connection, "select count(*) from bench.instances where status = 'completed'", due)
    seconds = time.perf_counter() - began
    late = await connection.fetchrow(LATENESS, moment)
    return {
        "ended per second": round(due / seconds),
        "processor µs each": round((sum(me.cpu_times()[:2]) - spent) / due * 1e6),
        **{f"late {name}": round(late[name], 2) for name in ("first", "median", "p99", "last")},
        "claims ms, by tenths": claims.tenths(),
    }


def main() -> None:
    """Print the figures as JSON, one line."""
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    due = int(sys.argv[2]) if len(sys.argv) > 2 else total // 10
    print(json.dumps(uvloop.run(measure(total, due)), ensure_ascii=False))


if __name__ == "__main__":
    main()
