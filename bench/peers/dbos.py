"""DBOS Transact: workflows as coroutines, called directly, which saves it a start's detour and a poll for the result.

`python -m bench.peers.dbos DSN`
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

CONNECTIONS: Final = 20


@DBOS.step()
async def small(n: int) -> dict[str, int]:
    return {"n": n}


@DBOS.workflow()
async def one_step(n: int) -> dict[str, int]:
    return await small(n)


@DBOS.workflow()
async def ten_steps(n: int) -> int:
    total = n
    for i in range(10):
        total += (await small(i))["n"]
    return total


@DBOS.workflow()
async def fan_out(width: int) -> int:
    return len(await asyncio.gather(*(small(i) for i in range(width))))


@DBOS.workflow()
async def noop() -> int:
    return 1


async def main(dsn: str) -> None:
    """Measure until stdin ends."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(CONNECTIONS))
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
            settings=f"async workflows called directly, {CONNECTIONS} connections and threads, uvloop",
            one_step=one_step,
            ten_steps=ten_steps,
            fan_out=fan_out,
            noop=noop,
        )
    )
    DBOS.destroy()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
