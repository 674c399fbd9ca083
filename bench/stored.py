"""W9: W1 with millions of events stored, against an empty schema. `python -m bench.stored [events] [rounds]`.

Two nodes in one process, each on a schema of its own in the same database, measured in turn. The stored histories are
copies of one that the engine has written (two events an instance). Prints the rates, the processor time of this process
for each workflow, and the medians' ratios: what is stored should cost nothing, 90 % is the promise.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import uvloop

from bench.running import server_of, serving_node
from bench.workloads import ALL, one_step, run_many, run_one

WORKFLOWS = 3_000  # of one round
AT_ONCE = 500
PORTION = 100_000  # instances copied in one statement
_KEY = "('0190' || lpad(to_hex(n), 12, '0') || '7000800000000000')::uuid"  # older than any that comes, in their order
COPIES = (
    f"""
    insert into full_.instances (key, id, definition, version, status, node, started_on, created_at, started_at,
                                 ended_at, digest, input, result)
    select {_KEY}, 'past-' || lpad(n::text, 9, '0'), i.definition, i.version, i.status, i.node, i.started_on,
           i.created_at, i.started_at, i.ended_at, i.digest, i.input, i.result
    from generate_series($1::integer, $2::integer) as n, full_.instances as i where i.id = 'first'
    """,
    f"""
    insert into full_.events (instance, seq, type, at, issued, trail, data)
    select {_KEY}, e.seq, e.type, e.at, e.issued, e.trail, e.data
    from generate_series($1::integer, $2::integer) as n
    cross join full_.events as e where e.instance = (select key from full_.instances where id = 'first')
    order by n, e.seq
    """,
)


async def _fill(client: Any, dsn: str, events: int) -> int:
    """So many events, of finished instances; returns the size in bytes."""
    run = await client.start(one_step, 1, id="first")
    await run.result()
    connection = await asyncpg.connect(dsn)
    each = await connection.fetchval("select count(*) from full_.events")
    for first in range(1, events // each, PORTION):
        for sql in COPIES:
            await connection.execute(sql, first, min(first + PORTION, events // each + 1) - 1)
    await connection.execute("vacuum analyze full_.instances")
    await connection.execute("vacuum analyze full_.events")
    size = "select pg_total_relation_size('full_.events') + pg_total_relation_size('full_.instances')"
    found: int = await connection.fetchval(size)
    await connection.close()
    return found


async def _round(client: Any) -> tuple[float, float]:
    """Workflows a second, and processor µs each."""
    began, spent = time.perf_counter(), time.process_time()
    await run_many(client, one_step, WORKFLOWS, AT_ONCE)
    return WORKFLOWS / (time.perf_counter() - began), (time.process_time() - spent) / WORKFLOWS * 1e6


async def measure(events: int, rounds: int) -> dict[str, Any]:
    """Both in turn, after a round each that does not count."""
    found: dict[str, list[tuple[float, float]]] = {"empty": [], "full": []}
    async with AsyncExitStack() as stack:
        home, dsn = stack.enter_context(server_of())
        clients = {
            name: (await stack.enter_async_context(serving_node(ALL, home, dsn, f"{name}_")))[1]
            for name in found
        }
        size = await _fill(clients["full"], dsn, events)
        for number in range(rounds + 1):
            for name, client in clients.items():
                await run_one(client, one_step, 1)
                result = await _round(client)
                if number:
                    found[name].append(result)
    rates, costs = ({name: statistics.median(r[n] for r in found[name]) for name in found} for n in (0, 1))
    return {
        "events": events,
        "MB": round(size / 1e6),
        "rounds": rounds,
        "per second": {name: [round(r[0]) for r in found[name]] for name in found},
        "processor µs": {name: [round(r[1]) for r in found[name]] for name in found},
        "rate, full against empty": round(rates["full"] / rates["empty"], 3),
        "processor, full against empty": round(costs["full"] / costs["empty"], 3),
        "load": [round(load, 1) for load in os.getloadavg()],
    }


def main() -> None:
    """Print the figures as JSON, one line."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    print(json.dumps(uvloop.run(measure(events, rounds)), ensure_ascii=False))


if __name__ == "__main__":
    main()
