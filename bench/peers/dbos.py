"""DBOS Transact, called directly, which saves it a start's detour and a poll for the result.

`python -m bench.peers.dbos DSN`

Plain functions in threads are half as fast again here as coroutines, whose every database call hops to a thread;
only the fan-out is a coroutine. As many threads as connections: more of both is slower.
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Final

import uvloop
from dbos import DBOS

from bench.peers.talk import Engine, serve

CONNECTIONS: Final = 8


@DBOS.step()
def small(n: int) -> dict[str, int]:
    return {"n": n}


@DBOS.step()
async def small_at_once(n: int) -> dict[str, int]:
    return {"n": n}


@DBOS.workflow()
def one_step(n: int) -> dict[str, int]:
    return small(n)


@DBOS.workflow()
def ten_steps(n: int) -> int:
    total = n
    for i in range(10):
        total += small(i)["n"]
    return total


@DBOS.workflow()
async def fan_out(width: int) -> int:
    return len(await asyncio.gather(*(small_at_once(i) for i in range(width))))


@DBOS.workflow()
def noop() -> int:
    return 1


async def main(dsn: str) -> None:
    """Measure until stdin ends."""
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(CONNECTIONS)
    loop.set_default_executor(pool)
    DBOS(
        config={
            "name": "bench",
            "system_database_url": dsn,
            "sys_db_pool_size": CONNECTIONS,
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    await serve(
        Engine(
            versions={"dbos": version("dbos")},
            settings=f"called directly, {CONNECTIONS} threads and connections, uvloop",
            one_step=lambda n: loop.run_in_executor(pool, one_step, n),
            ten_steps=lambda n: loop.run_in_executor(pool, ten_steps, n),
            fan_out=fan_out,
            noop=lambda: loop.run_in_executor(pool, noop),
        )
    )
    DBOS.destroy()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
