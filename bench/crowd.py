"""Ten nodes that have too little of the processor: is one of them declared dead while it lives?

`python -m bench.crowd [seconds]`. Ten nodes as processes with homes of their own, as on ten machines, with the default
heartbeat, lease and poll. On each, threads that hold the interpreter's lock and a child process compute all the time,
beside a stream of small workflows. A trigger notes each heartbeat when the database takes it. Prints how many nodes
were declared dead or gave themselves up (none may), the gaps between two heartbeats of a node, and how busy the machine
was; the same goes to `.artifacts/crowd.json`. Ends with status 1 if there was such a node.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil

import orquestrax as ox
from orquestrax.core.store.database import Address
from orquestrax.core.store.embedded import start_embedded
from orquestrax.core.store.migrate import migrate
from orquestrax.define.modules import load_modules

SCHEMA: Final = "crowd"
NODES: Final = 10
REPORT: Final = Path(__file__).parents[1] / ".artifacts" / "crowd.json"
PATIENCE: Final = 300.0  # seconds for ten nodes to start on a busy machine
FLOWS: Final = """
import asyncio
import time

import orquestrax as ox


def compute(seconds: float) -> int:
    turns, until = 0, time.thread_time() + seconds
    while time.thread_time() < until:
        turns += 1
    return turns


@ox.step  # in a thread: it holds the interpreter's lock, which the heartbeat's thread needs too
def thread(seconds: float) -> int:
    return compute(seconds)


@ox.step(executor="process")
def process(seconds: float) -> int:
    return compute(seconds)


@ox.step
async def note(n: int) -> int:
    return n


@ox.workflow
async def grind(seconds: float) -> int:
    return sum(await asyncio.gather(thread(seconds), thread(seconds), process(seconds)))


@ox.workflow
async def small(n: int) -> int:
    return await note(n)
"""
# Each heartbeat when the database takes it, by the database's clock.
BEATS: Final = f"""
    create table {SCHEMA}.beats (fence integer not null, at timestamptz not null);
    create function {SCHEMA}.note_beat() returns trigger language plpgsql as $$
        begin insert into {SCHEMA}.beats values (new.fence, clock_timestamp()); return null; end $$;
    create trigger note_beat after update of heartbeat on {SCHEMA}.nodes for each row
        when (new.heartbeat > old.heartbeat) execute function {SCHEMA}.note_beat();
"""
GAPS: Final = f"""
    with gaps as (
        select extract(epoch from at - lag(at) over (partition by fence order by at))::float8 as gap
        from {SCHEMA}.beats)
    select count(gap) as beats,
           round(percentile_cont(0.5) within group (order by gap)::numeric, 2)::float8 as p50,
           round(percentile_cont(0.99) within group (order by gap)::numeric, 2)::float8 as p99,
           round(max(gap)::numeric, 2)::float8 as longest
    from gaps
"""


def start_node(folder: Path, name: str, dsn: str) -> subprocess.Popen[bytes]:
    """A node with a home of its own, two slots for threads and one for child processes."""
    where = ["--database", dsn, "--namespace", SCHEMA]
    flags = ["--roles", "engine,worker", "--slots", "2", "--processes", "1"]
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "orquestrax", "start", "flows.py", *flags, *where],
            cwd=folder, env={**os.environ, "ORQUESTRAX_HOME": str(folder / name)},
            stdin=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip


async def stream(client: ox.Client, workflow: Any, argument: Any, ended: list[str]) -> None:
    """One workflow after the other, for ever."""
    while True:
        await (await client.start(workflow, argument)).result()
        ended.append(workflow.name)


async def until_alive(connection: asyncpg.Connection) -> None:
    """Until all of them are there."""
    async with asyncio.timeout(PATIENCE):
        while await connection.fetchval(f"select count(*) from {SCHEMA}.nodes") < NODES:  # noqa: ASYNC110 - no signal
            await asyncio.sleep(0.5)


async def crowd(folder: Path, dsn: str, seconds: float) -> dict[str, Any]:
    """The figures of one run."""
    (flows,) = load_modules([str(folder / "flows.py")])
    await migrate(Address(dsn=dsn, schema=SCHEMA))
    connection = await asyncpg.connect(dsn)
    await connection.execute(BEATS)
    processes = [start_node(folder, f"node{n}", dsn) for n in range(NODES)]
    ended: list[str] = []
    try:
        await until_alive(connection)
        async with ox.connect(database=dsn, namespace=SCHEMA) as client:
            streams = [stream(client, flows.grind, 0.2, ended) for _ in range(2 * NODES)]
            streams += [stream(client, flows.small, 1, ended) for _ in range(2 * NODES)]
            tasks = [asyncio.create_task(each) for each in streams]
            psutil.cpu_percent()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.gather(*tasks)  # until then only an error ends them
            busy = psutil.cpu_percent()
        return {
            "nodes": NODES,
            "minutes": round(seconds / 60, 1),
            "processor": round(busy),
            "workflows": len(ended),
            "deaths": await connection.fetchval(
                f"select count(*) from {SCHEMA}.nodes where status <> 'alive'"
            ),
            "incarnations": await connection.fetchval(f"select count(*) from {SCHEMA}.nodes"),
            "gaps": dict(await connection.fetchrow(GAPS)),
        }
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
        await connection.close()


def measure(seconds: float = 600) -> dict[str, Any]:
    """On an embedded server of its own."""
    with tempfile.TemporaryDirectory(prefix="ox-crowd-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "flows.py").write_text(FLOWS)
        server = start_embedded(home=folder / "pg", project=folder)
        try:
            return asyncio.run(crowd(folder, server.dsn, seconds))
        finally:
            server.stop()


def main() -> int:
    """Measure, print and keep; returns the exit status."""
    figures = {"at": time.strftime("%Y-%m-%d")} | measure(float(sys.argv[1]) if len(sys.argv) > 1 else 600)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures))
    return int(figures["deaths"] > 0 or figures["incarnations"] > NODES)


if __name__ == "__main__":
    sys.exit(main())
