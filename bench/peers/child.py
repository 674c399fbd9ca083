"""A child process that runs one engine, and what a measurement of it costs: here, in its processes, in PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil

from bench.measure import counters

ROOT = Path(__file__).parents[2]


SETTLED: Final = 11.0  # seconds until idle backends have reported all that they did


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One workload: seconds, times of single workflows (W4), processor seconds: its own, and other programs'."""

    seconds: float
    times: list[float]
    engine_cpu: float
    postgres_cpu: float
    others_cpu: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one workload did to PostgreSQL."""

    commits: int
    rows: int
    wal: int


class Child:
    """An engine's process. `postmaster` is the process id of the embedded server."""

    def __init__(self, command: list[str], argument: str, dsn: str, postmaster: int, log: Path) -> None:
        self._dsn, self._postmaster, self._log = dsn, psutil.Process(postmaster), log
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        self._output = log.open("ab")
        self._process = subprocess.Popen(
            [*command, argument],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            text=True,
        )
        self.about: dict[str, Any] = {}

    def __enter__(self) -> Self:
        try:
            self.about = self._hear()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._output.close()

    def measure(self, workload: str, total: int, in_flight: int) -> Measurement:
        """Have it run one workload, and wait for its answer. Raises RuntimeError if it ends instead."""
        engine, postgres, all_ = self._cpu(), self._postgres_cpu(), _busy()
        answer = self._ask(workload, total, in_flight)
        engine, postgres, all_ = self._cpu() - engine, self._postgres_cpu() - postgres, _busy() - all_
        others = max(0.0, all_ - engine - postgres)
        return Measurement(**answer, engine_cpu=engine, postgres_cpu=postgres, others_cpu=others)

    def costs(self, asked: list[tuple[str, int, int]]) -> list[Cost]:
        """The same, for what PostgreSQL counts; slow, because it counts late."""
        counted = [asyncio.run(counters(self._dsn, SETTLED))]
        for workload, total, in_flight in asked:
            self._ask(workload, total, in_flight)
            counted.append(asyncio.run(counters(self._dsn, SETTLED)))
        return [
            Cost(**{name: after[name] - before[name] for name in ("commits", "rows", "wal")})
            for before, after in itertools.pairwise(counted)
        ]

    def _ask(self, workload: str, total: int, in_flight: int) -> dict[str, Any]:
        assert self._process.stdin
        request = {"workload": workload, "total": total, "in_flight": in_flight}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise RuntimeError(said[-1] if said else "it ended without a word")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def _cpu(self) -> float:
        """Of the engine: its process and all below it, such as a server of its own."""
        process = psutil.Process(self._process.pid)
        return sum(_spent(each) for each in [process, *process.children(recursive=True)])

    def _postgres_cpu(self) -> float:
        """Of all backends, those that have ended included."""
        times = self._postmaster.cpu_times()
        ended = times.children_user + times.children_system
        return ended + sum(_spent(each) for each in [self._postmaster, *self._postmaster.children()])


def _busy() -> float:
    """Processor seconds of the whole machine."""
    times = psutil.cpu_times()
    busy: float = times.user + times.nice + times.system
    return busy


def _spent(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    spent: float = times.user + times.system
    return spent
