"""200,000 one-step workflows in one process: is the last tenth like the first?

    python -m bench.endurance [workflows]

Prints for each tenth the events per second, and the memory of this process (RSS) at its end. Both must stay flat:
what grows with the number of workflows that have ended would one day end the node.
"""

from __future__ import annotations

import sys
import time

import psutil
import uvloop

from bench.running import running_node
from bench.workloads import one_step, run_many

EVENTS = 2  # of a one-step workflow: the step's result and the end


async def _run(total: int) -> None:
    me = psutil.Process()
    async with running_node() as (client, _dsn):
        await run_many(client, one_step, 2_000, 500)
        print(f"{'workflows':>10} {'events/s':>10} {'RSS MB':>8}")
        for tenth in range(1, 11):
            began = time.perf_counter()
            await run_many(client, one_step, total // 10, 500)
            rate = EVENTS * (total // 10) / (time.perf_counter() - began)
            print(f"{tenth * total // 10:>10} {rate:>10.0f} {me.memory_info().rss / 1e6:>8.1f}", flush=True)


def main() -> None:
    """Run it and print the table."""
    uvloop.run(_run(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000))


if __name__ == "__main__":
    main()
