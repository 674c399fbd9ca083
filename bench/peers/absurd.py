"""Absurd: workers and clients with a connection each, in one process. `python -m bench.peers.absurd DSN`."""

from __future__ import annotations

import asyncio
import itertools
import sys
from importlib.metadata import version
from typing import Any, Final

import psycopg
import uvloop
from absurd_sdk import AsyncAbsurd, AsyncTaskContext
from absurdctl import BUNDLED_SCHEMA_SQL

from bench.peers.talk import Engine, serve

QUEUE: Final = "default"
WORKERS: Final = 4
CLIENTS: Final = 4
CONCURRENCY: Final = 100
POLL: Final = 0.02


async def small(context: AsyncTaskContext, n: int) -> dict[str, int]:
    async def body() -> dict[str, int]:
        return {"n": n}

    return await context.step(f"small-{n}", body)


async def one_step(parameters: Any, context: AsyncTaskContext) -> Any:
    return await small(context, parameters)


async def ten_steps(parameters: Any, context: AsyncTaskContext) -> Any:
    total = parameters
    for i in range(10):
        total += (await small(context, i))["n"]
    return total


async def fan_out(parameters: Any, context: AsyncTaskContext) -> Any:
    return len(await asyncio.gather(*(small(context, i) for i in range(parameters))))


async def noop(_parameters: Any, _context: AsyncTaskContext) -> Any:
    return 1


def prepared(dsn: str) -> AsyncAbsurd:
    """A client that knows the tasks, with a connection of its own."""
    app = AsyncAbsurd(dsn, queue_name=QUEUE)
    for task in (one_step, ten_steps, fan_out, noop):
        app.register_task(task.__name__)(task)
    return app


async def prepare(dsn: str) -> None:
    """The schema that absurdctl brings along, and a queue; once for a database."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        found = await connection.execute("select from pg_namespace where nspname = 'absurd'")
        if await found.fetchone() is None:
            await connection.execute(BUNDLED_SCHEMA_SQL)
            await AsyncAbsurd(connection).create_queue(QUEUE)


async def main(dsn: str) -> None:
    """Measure until stdin ends."""
    await prepare(dsn)
    workers = [prepared(dsn) for _ in range(WORKERS)]
    running = [
        asyncio.create_task(w.start_worker(concurrency=CONCURRENCY, poll_interval=POLL)) for w in workers
    ]
    clients = itertools.cycle([prepared(dsn) for _ in range(CLIENTS)])

    async def run(name: str, parameters: Any = None) -> Any:
        client = next(clients)
        spawned = await client.spawn(name, parameters)
        return (await client.await_task_result(spawned["task_id"])).result

    await serve(
        Engine(
            versions={"absurd-sdk": version("absurd-sdk")},
            settings=f"{WORKERS} async workers of {CONCURRENCY}, polling every {POLL:g} s; {CLIENTS} clients; uvloop",
            one_step=lambda n: run("one_step", n),
            ten_steps=lambda n: run("ten_steps", n),
            fan_out=lambda width: run("fan_out", width),
            noop=lambda: run("noop"),
        )
    )
    for worker in workers:
        worker.stop_worker()
    await asyncio.gather(*running)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
