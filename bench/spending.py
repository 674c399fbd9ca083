"""What a cluster spends on its work: commits, and processor time of client, nodes and server together."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import psutil

from bench.measure import counters


@dataclass
class Spent:
    """Of all that ran in the block."""

    seconds: float = 0.0
    processor: float = 0.0
    commits: int = 0

    def of_each(self, name: str, total: int) -> dict[str, float]:
        """As figures: how many a second, and what each has cost."""
        return {
            f"{name} /s": total / self.seconds,
            f"{name} processor us": self.processor / total * 1e6,
            f"{name} commits": self.commits / total,
        }


@asynccontextmanager
async def spending(dsn: str, nodes: Sequence[int]) -> AsyncIterator[Spent]:
    """Fill in what is spent; `nodes` are process ids. A server elsewhere spends nothing here."""
    spent = Spent()
    connection = await asyncpg.connect(dsn)
    server = _postmaster(await connection.fetchval("select pg_backend_pid()"))
    before = await counters(dsn)
    began, processor = time.perf_counter(), _processor(nodes, server)
    yield spent
    spent.seconds, spent.processor = time.perf_counter() - began, _processor(nodes, server) - processor
    spent.commits = (await counters(dsn))["commits"] - before["commits"]
    await connection.close()


def _postmaster(backend: int) -> psutil.Process | None:
    """The server's first process, if it is on this machine."""
    try:
        parent = psutil.Process(backend).parent()
        return parent if parent is not None and "postgres" in parent.name() else None
    except psutil.Error:
        return None


def _processor(nodes: Sequence[int], server: psutil.Process | None) -> float:
    """Seconds so far."""
    processes = [psutil.Process(), *map(psutil.Process, nodes)]
    total = sum(sum(process.cpu_times()[:2]) for process in processes)
    return total + (_of_server(server) if server is not None else 0.0)


def _of_server(postmaster: psutil.Process) -> float:
    """Seconds so far; backends that have ended are counted with their postmaster."""
    while True:
        backends = postmaster.children()
        ended = sum(postmaster.cpu_times()[:4])
        try:
            return ended + sum(sum(backend.cpu_times()[:2]) for backend in backends)
        except psutil.NoSuchProcess:  # it ended just now: its time is the postmaster's by the next reading
            continue


async def lone_commit(dsn: str, total: int = 200) -> float:
    """Milliseconds that a commit of one row takes, nothing else going on: what the disk gives."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table if not exists lone_commit (n integer)")
    times = []
    for n in range(total):
        began = time.perf_counter()
        await connection.execute("insert into lone_commit values ($1)", n)
        times.append(time.perf_counter() - began)
    await connection.close()
    return statistics.median(times) * 1e3
