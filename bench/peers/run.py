"""`make bench-peers`: every engine in every round, one after the other, on one embedded PostgreSQL with fsync on.

Before the rounds each engine is asked once for what it costs PostgreSQL, which does not depend on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from bench.peers.child import Child, Measurement
from bench.peers.install import PEERS, NotInstallable, installed, restate_server
from bench.peers.report import Contestant, document, print_table
from orquestrax.core.store.embedded import EmbeddedServer, start_embedded

IN_FLIGHT: Final = 500
STEPS: Final = 10
WIDTH: Final = 1_000
SIZES: Final = {  # workflows of W1, W2 and W4: each engine gets a few seconds
    "ours": (10_000, 3_000, 300),
    "restate": (3_000, 1_000, 200),
    "dbos": (1_000, 500, 100),
    "absurd": (1_500, 500, 50),
    "oban": (3_000, 0, 200),
}


def main() -> None:
    """Measure, then print the table and the JSON; what could not take part is told last."""
    parser = argparse.ArgumentParser(description="W1 to W4 in OrquestraX and its peers.")
    parser.add_argument("rounds", nargs="?", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[peer.name for peer in PEERS], help="peers to measure")
    chosen = parser.parse_args()
    absent: list[str] = []
    with tempfile.TemporaryDirectory(prefix="ox-peers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = start_embedded(home=folder, project=folder)
        try:
            contestants = asyncio.run(_prepared(server, chosen.only, absent))
            postmaster = asyncio.run(_postmaster(server.dsn))
            for number in range(chosen.rounds + 1):
                for each in list(contestants):
                    if reason := _measure(each, number, postmaster, folder):
                        absent.append(reason)
                        contestants.remove(each)
            version = server.version
        finally:
            server.stop()
    print_table(contestants, version, chosen.rounds, IN_FLIGHT)
    print(json.dumps(document(contestants, version, chosen.rounds, IN_FLIGHT)))
    if absent:
        print("not measured: " + "; ".join(absent))


async def _prepared(server: EmbeddedServer, only: list[str], absent: list[str]) -> list[Contestant]:
    """Everything installed, and a database for each."""
    contestants = []
    connection = await asyncpg.connect(server.dsn)
    ours = Contestant("ours", [sys.executable, "-m", "bench.peers.ours"], "", "")
    found: list[Contestant] = [ours]
    for peer in PEERS:
        if peer.name in only:
            try:
                server_path = restate_server() if peer.name == "restate" else ""
                found.append(Contestant(peer.name, installed(peer), server_path, ""))
            except NotInstallable as reason:
                absent.append(f"{peer.name} ({reason})")
    for each in found:
        await connection.execute(f"create database bench_{each.name}")
        head, _, query = server.dsn.partition("?")
        each.dsn = f"{head.rpartition('/')[0]}/bench_{each.name}" + (f"?{query}" if query else "")
        each.argument = each.argument or each.dsn
        contestants.append(each)
    await connection.close()
    return contestants


async def _postmaster(dsn: str) -> int:
    """The process id of the server: that of a backend's parent."""
    connection = await asyncpg.connect(dsn)
    backend = psutil.Process(await connection.fetchval("select pg_backend_pid()"))
    postmaster = backend.ppid()
    await connection.close()
    return postmaster


def _measure(each: Contestant, number: int, postmaster: int, folder: Path) -> str | None:
    """One round of one engine, or, as number 0, its costs; returns why there is none."""
    began = time.perf_counter()
    try:
        with Child(each.command, each.argument, each.dsn, postmaster, folder / f"{each.name}.log") as child:
            each.about = {**child.about, "workflows": SIZES[each.name]}
            if number:
                each.rounds.append(_round(child, each.name))
            elif each.uses_postgres:
                each.costs = _costs(child, each.name)
    except RuntimeError as error:
        return f"{each.name} ({error})"
    print(f"round {number}: {each.name}, {time.perf_counter() - began:.1f} s", file=sys.stderr)
    return None


def _round(child: Child, name: str) -> dict[str, dict[str, float]]:
    one, ten, none = SIZES[name]
    figures = {"W1": _figures(child.measure("W1", one, IN_FLIGHT), one, 1)}
    if "W2" in child.about["offers"]:
        figures["W2"] = _figures(child.measure("W2", ten, IN_FLIGHT), ten, STEPS)
    figures["W3"] = _figures(child.measure("W3", WIDTH, 1), 1, WIDTH)
    figures["W4"] = _figures(child.measure("W4", none, 1), none, 1)
    return figures


def _figures(measured: Measurement, workflows: int, steps: int) -> dict[str, float]:
    """What is shown: per second and processor time per step; for W4 the times of one."""
    units = workflows * steps
    figures = {
        "seconds": measured.seconds,
        "per_second": units / measured.seconds,
        "engine_cpu_ms": measured.engine_cpu / units * 1e3,
        "postgres_cpu_ms": measured.postgres_cpu / units * 1e3,
        "others_cores": measured.others_cpu / measured.seconds,
    }
    if measured.times:
        times = sorted(measured.times)
        figures["p50_ms"] = times[len(times) // 2] * 1e3
        figures["p99_ms"] = times[int(len(times) * 0.99)] * 1e3
    return {name: round(value, 4) for name, value in figures.items()}


def _costs(child: Child, name: str) -> dict[str, dict[str, float]]:
    """Commits, rows and WAL bytes per workflow of W1, and per step of W2."""
    one, ten, _none = SIZES[name]
    asked = [("W1", one, IN_FLIGHT)] + ([("W2", ten, IN_FLIGHT)] if ten else [])
    units = (one, ten * STEPS)
    return {
        workload: {kind: round(value / unit, 4) for kind, value in vars(cost).items()}
        for (workload, *_), unit, cost in zip(asked, units, child.costs(asked), strict=False)
    }


if __name__ == "__main__":
    main()
