"""W8: 10,000 instances in flight, and their node is killed. How long until another runs all of them?

`python -m bench.takeover [instances]`. Two nodes as processes with homes of their own, as on two machines, with the
default lease, heartbeat and poll; 50,000 older starts are due a little before the death is declared. Prints the
seconds from the kill until it was declared, until all were claimed and until all went on; the processor time that the
heir took, the seconds from the last sign of life to the declaration; how many of the older starts the heir claimed
before the first instance of the dead node (it had room, and nothing else to do), how many between the first and the
last (none should be), and how many still waited after all went on.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import psutil

import orquestrax as ox
from orquestrax.core.store.database import Address
from orquestrax.core.store.embedded import start_embedded
from orquestrax.core.store.migrate import migrate
from orquestrax.define.modules import load_modules

SCHEMA = "w8"
OLDER = f"""
    insert into {SCHEMA}.instances (key, id, definition, status, wake_at, digest, input)
    select md5(n::text)::uuid, 'b' || n, 'older', 'pending', now() - interval '1 day', '', '[]'
    from generate_series(1, 50000) as n
"""
# The heir's claims in their order: no column says when an instance was claimed anew, and a look from outside is late.
CLAIMS = f"""
    create table {SCHEMA}.claims (number bigserial primary key, definition text not null);
    create function {SCHEMA}.note_claim() returns trigger language plpgsql as $$
        begin insert into {SCHEMA}.claims (definition) values (new.definition); return null; end $$;
    create trigger note_claim after update of owner on {SCHEMA}.instances for each row
        when (old.owner is null and new.owner = 2) execute function {SCHEMA}.note_claim();
"""
ORDER = f"""
    with flights as (
        select min(number) as first, max(number) as last from {SCHEMA}.claims where definition = 'flight')
    select count(*) filter (where number < first) as before,
           count(*) filter (where number between first and last) as among,
           (select count(*) from {SCHEMA}.instances where definition = 'older' and status = 'pending') as waiting
    from {SCHEMA}.claims, flights where definition = 'older'
"""
FLOWS = """
import asyncio

import orquestrax as ox


@ox.step
async def wait() -> None:
    await asyncio.sleep(3600)


@ox.workflow
async def flight() -> None:
    await wait()


@ox.workflow
async def older() -> None:
    pass
"""


def start_node(folder: Path, name: str, dsn: str) -> subprocess.Popen[bytes]:
    """A node with a home of its own."""
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [
                sys.executable, "-m", "orquestrax", "start", "flows.py", "--roles", "engine,worker",
                "--database", dsn, "--namespace", SCHEMA,
            ],
            cwd=folder, env={**os.environ, "ORQUESTRAX_HOME": str(folder / name)},
            stdin=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip


async def until(connection: asyncpg.Connection, query: str, wanted: int) -> None:
    """Until a count is that high."""
    while await connection.fetchval(query) < wanted:  # noqa: ASYNC110 - no signal tells it
        await asyncio.sleep(0.05)


async def takeover(folder: Path, dsn: str, instances: int) -> dict[str, float]:
    """Seconds from the kill until it was declared, until all were claimed, and until all went on."""
    flight = load_modules([str(folder / "flows.py")])[0].flight
    await migrate(Address(dsn=dsn, schema=SCHEMA))
    connection = await asyncpg.connect(dsn)
    await connection.execute(CLAIMS)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        async with ox.connect(database=dsn, namespace=SCHEMA) as client:
            for first in range(0, instances, 500):
                starts = [client.start(flight, id=f"f{n}") for n in range(first, first + 500)]
                await asyncio.gather(*starts)
        await connection.execute(f"update {SCHEMA}.instances set lane = 0")  # else a node keeps a tenth free
        for name in ("victim", "heir"):
            processes.append(start_node(folder, name, dsn))
            await until(
                connection, f"select count(*) from {SCHEMA}.instances where owner is not null", instances
            )
        await until(connection, f"select count(*) from {SCHEMA}.nodes where status = 'alive'", 2)
        backlog = connection.transaction()
        await backlog.start()
        await connection.execute(OLDER)  # seconds of work, so now; the commit is what makes them due
        await asyncio.sleep(5)
        before = sum(psutil.Process(processes[1].pid).cpu_times()[:2])
        killed = time.monotonic()
        processes[0].kill()
        await asyncio.sleep(6)  # the last beat was up to 2 s before the kill: two polls are left at least
        await backlog.commit()
        figures = {}
        for name, query, wanted in (
            ("declared", "nodes where status = 'dead'", 1),
            ("claimed", "instances where definition = 'flight' and owner = 2", instances),
            ("continued", "events where type = 'taken_over'", instances),
        ):
            await until(connection, f"select count(*) from {SCHEMA}.{query}", wanted)
            figures[name] = round(time.monotonic() - killed, 2)
        figures["processor"] = round(sum(psutil.Process(processes[1].pid).cpu_times()[:2]) - before, 2)
        silent = f"select extract(epoch from ended_at - seen_at) from {SCHEMA}.nodes where status = 'dead'"
        figures["silent"] = round(float(await connection.fetchval(silent)), 2)
        figures.update(await connection.fetchrow(ORDER))
    finally:
        for process in processes:
            process.kill()
            process.wait()
        await connection.close()
    return figures


def measure(instances: int = 10_000) -> dict[str, float]:
    """On an embedded server of its own."""
    with tempfile.TemporaryDirectory(prefix="ox-w8-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "flows.py").write_text(FLOWS)
        server = start_embedded(home=folder / "pg", project=folder)
        try:
            return asyncio.run(takeover(folder, server.dsn, instances))
        finally:
            server.stop()


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)))
