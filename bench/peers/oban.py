"""Oban: jobs, not workflows, so there is no W2. `python -m bench.peers.oban DSN`.

A job counts as done once its acknowledgement is written, as everywhere else.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from importlib.metadata import version
from typing import Any, Final

import uvloop
from oban import Job, Oban, Record, telemetry, worker
from oban.schema import install
from psycopg_pool import AsyncConnectionPool

from bench.peers.talk import Engine, serve

CONNECTIONS: Final = 10
LIMIT: Final = 500


@worker(queue="default")
class Small:
    """The step: a job that records a small JSON."""

    async def process(self, job: Job) -> Any:
        results[job.id] = {"n": job.args["n"]}
        return Record(results[job.id])


@worker(queue="default")
class Noop:
    """A job that does nothing."""

    async def process(self, job: Job) -> Any:
        results[job.id] = 1
        return Record(1)


results: dict[int | None, Any] = {}
waiting: dict[int | None, asyncio.Future[Any]] = {}
ended: deque[int | None] = deque()


def stopped(_name: str, details: dict[str, Any]) -> None:
    """A body has ended; its acknowledgement comes later, in the same order."""
    ended.append(details["job"].id)


def acknowledged(_name: str, details: dict[str, Any]) -> None:
    """So many of the oldest are written."""
    for _ in range(details["count"]):
        id_ = ended.popleft()
        future = waiting.pop(id_, None)
        if future is not None:
            future.set_result(results.pop(id_))
        else:
            early.add(id_)


early: set[int | None] = set()
"""Acknowledged before whoever enqueued them knew their number."""


async def end_of(job: Job) -> Any:
    """Wait until the job is written as done."""
    if job.id in early:
        early.remove(job.id)
        return results.pop(job.id)
    future = waiting[job.id] = asyncio.get_running_loop().create_future()
    return await future


async def main(dsn: str) -> None:
    """Measure until stdin ends."""
    telemetry.attach("bench-stop", ["oban.job.stop"], stopped)
    telemetry.attach("bench-ack", ["oban.producer.ack.stop"], acknowledged)
    async with AsyncConnectionPool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS, open=False) as pool:
        async with pool.connection() as connection:
            found = await connection.execute("select to_regclass('oban_jobs')")
            new = (await found.fetchone()) == (None,)
        if new:
            await install(pool)
        async with Oban(pool=pool, queues={"default": LIMIT}) as oban:

            async def one_step(n: int) -> Any:
                return await end_of(await oban.enqueue(Small.new({"n": n})))

            async def fan_out(width: int) -> int:
                jobs = await oban.enqueue_many([Small.new({"n": n}) for n in range(width)])
                return len([await end_of(job) for job in jobs])

            async def noop() -> Any:
                return await end_of(await oban.enqueue(Noop.new({})))

            await serve(
                Engine(
                    versions={"oban": version("oban")},
                    settings=f"a queue of {LIMIT}, {CONNECTIONS} connections, uvloop; jobs only",
                    one_step=one_step,
                    ten_steps=None,
                    fan_out=fan_out,
                    noop=noop,
                )
            )


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
