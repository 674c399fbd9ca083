"""W5 and W10: nodes as processes of their own. `python -m bench.cluster [rounds]`.

W5   a client process starts one no-op workflow on a worker process and awaits it, idle; three commits follow one
     another there, so a lone commit is measured beside it
W10  two engine+worker nodes against one: one-step workflows, and queued steps of 5 ms of waiting with 8 slots a node.
     Client, nodes and server share the machine: what each workflow or step costs all of them together is the bound
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import uvloop

import orquestrax as ox
from bench.spending import Spent, lone_commit, spending
from bench.workloads import noop, one_step, run_many, run_one
from orquestrax.core.store.database import Address
from orquestrax.core.store.embedded import start_embedded
from orquestrax.core.store.migrate import migrate

SLOTS = 8
WIDTH = 200
AT_ONCE = 10


@ox.step
async def waiting(n: int) -> int:
    """5 ms of waiting."""
    await asyncio.sleep(0.005)
    return n


@ox.workflow
async def spread(width: int) -> int:
    """Steps that wait, all of them asked for at once."""
    return len(await asyncio.gather(*(waiting(n) for n in range(width))))


class Nodes:
    """Processes of `orquestrax start`, ended one by one by their own handles."""

    def __init__(self, dsn: str, home: Path) -> None:
        self._dsn, self._home = dsn, home
        self._running: list[subprocess.Popen[bytes]] = []

    async def start(self, client: ox.Client, *flags: str) -> None:
        """One more node, once the others see it."""
        before = await _alive(client)
        process = self._spawn(*flags)
        self._running.append(process)
        while await _alive(client) <= before:
            if process.poll() is not None:
                raise RuntimeError(f"a node has ended with {process.returncode}")
            await asyncio.sleep(0.05)
        await asyncio.sleep(2.5)  # two polls: each knows of the other by then

    def _spawn(self, *flags: str) -> subprocess.Popen[bytes]:
        where = ["--database", self._dsn, "--namespace", "bench"]
        command = [sys.executable, "-m", "orquestrax", "start", "bench.cluster", "--roles", "engine,worker"]
        environment = {**os.environ, "ORQUESTRAX_HOME": str(self._home)}
        return subprocess.Popen([*command, *flags, *where], env=environment, stderr=subprocess.DEVNULL)

    def spending(self) -> AbstractAsyncContextManager[Spent]:
        """What is spent in the block."""
        return spending(self._dsn, [process.pid for process in self._running])

    async def lone_commit(self) -> float:
        """Milliseconds."""
        return await lone_commit(self._dsn)

    def stop(self) -> None:
        """All of them."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(30)
        self._running.clear()


async def _alive(client: ox.Client) -> int:
    return sum(node.status == "alive" for node in await client.store.nodes())


@asynccontextmanager
async def _cluster() -> AsyncIterator[tuple[ox.Client, Nodes]]:
    with tempfile.TemporaryDirectory(prefix="ox-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        given = os.environ.get("ORQUESTRAX_DATABASE_URL")
        embedded = None if given else start_embedded(home=home, project=home)
        dsn = given or embedded.dsn  # type: ignore[union-attr]
        await migrate(Address(dsn=dsn, schema="bench"))
        async with ox.connect(database=dsn, namespace="bench") as client:
            nodes = Nodes(dsn, home)
            try:
                yield client, nodes
            finally:
                nodes.stop()
        if embedded is not None:
            embedded.stop()


async def _latency(client: ox.Client, total: int = 300) -> dict[str, float]:
    for _ in range(20):
        await run_one(client, noop)
    times = sorted([await run_one(client, noop) for _ in range(total)])
    return {"p50_ms": round(times[total // 2] * 1e3, 2), "p99_ms": round(times[total * 99 // 100] * 1e3, 2)}


async def _one_step(client: ox.Client, nodes: Nodes, name: str, total: int = 3_000) -> dict[str, float]:
    await run_many(client, one_step, 200, 100)
    async with nodes.spending() as spent:
        await run_many(client, one_step, total, AT_ONCE * 10)
    return spent.of_each(f"W10 {name}, W1", total)


async def _queued(client: ox.Client, nodes: Nodes, name: str, total: int = 30) -> dict[str, float]:
    await asyncio.gather(*(run_one(client, spread, WIDTH) for _ in range(2)))
    left = iter(range(total))

    async def worker() -> None:
        for _ in left:
            await run_one(client, spread, WIDTH)

    async with nodes.spending() as spent:
        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return spent.of_each(f"W10 {name}, steps", total * WIDTH)


async def _round(client: ox.Client, nodes: Nodes) -> dict[str, float]:
    found: dict[str, float] = {}
    await nodes.start(client)
    latency = await _latency(client)
    found |= {f"W5 {name}": value for name, value in latency.items()}
    found["W5 lone commit ms"] = await nodes.lone_commit()
    for flags, measure, what in (((), _one_step, "W1"), (("--slots", str(SLOTS)), _queued, "steps")):
        if flags:
            await nodes.start(client, *flags)
        found |= await measure(client, nodes, "one node")
        await nodes.start(client, *flags)
        found |= await measure(client, nodes, "two nodes")
        nodes.stop()
        found[f"W10 {what}, two against one"] = (
            found[f"W10 two nodes, {what} /s"] / found[f"W10 one node, {what} /s"]
        )
    return found


async def _measure(rounds: int) -> dict[str, list[float]]:
    async with _cluster() as (client, nodes):
        measurements = [await _round(client, nodes) for _ in range(rounds)]
    table: dict[str, list[float]] = {}
    for name in measurements[0]:
        values = sorted(round(each[name], 2) for each in measurements)
        table[name] = [values[0], round(statistics.median(values), 2), values[-1]]
    return table


def main() -> None:
    """Print minimum, median and maximum of each figure, then the same as JSON."""
    table = uvloop.run(_measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
    for name, (low, middle, high) in table.items():
        print(f"{name:36} {low:10g} {middle:10g} {high:10g}")
    print(json.dumps(table))


if __name__ == "__main__":
    main()
