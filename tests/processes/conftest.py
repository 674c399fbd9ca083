"""A runner with child processes, once on asyncio's loop and once on uvloop."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import psutil
import pytest
import uvloop

from orquestrax.base import failures
from orquestrax.define.resources import Resources
from orquestrax.model.jobs import BodyKey, Errored, Job, Succeeded
from orquestrax.worker.processes.pool import ProcessPool
from orquestrax.worker.runner import StepRunner

MANY = 60.0


class Rig:
    """A runner; `ended` holds what it told, `written` and `deleted` what it kept of progress."""

    def __init__(self, **options: Any) -> None:
        self.ended: asyncio.Queue[tuple[Job, Any]] = asyncio.Queue()
        self.written: list[Any] = []
        self.deleted: list[BodyKey] = []
        self._numbers = itertools.count(1)
        self.runner = StepRunner(
            node="node-1",
            now=lambda: time.time_ns() // 1000,
            resources=Resources(),
            on_end=lambda job, outcome: self.ended.put_nowait((job, outcome)),
            on_long=lambda _job, _started_at: None,
            write_progress=self._write,
            delete_progress=self._delete,
            rng=random.Random(1),
            **{"slots": {"async": 5, "thread": 5, "process": 2}, **options},
        )
        # Whatever else lives in this process of pytest has children of its own.
        self._begun: set[int] = set()
        warden = self.pool._warden
        warden.add = self._noting(warden.add)  # type: ignore[method-assign]

    def _noting(self, add: Callable[[int], None]) -> Callable[[int], None]:
        def noted(group: int) -> None:
            self._begun.add(group)
            add(group)

        return noted

    @property
    def pool(self) -> ProcessPool:
        return self.runner._processes

    @property
    def children(self) -> list[psutil.Process]:
        """The children that are alive, the guard left out."""
        return [child for child in _children() if child.pid in self._begun]

    def job(
        self, step: Any, *arguments: Any, attempt: int = 1, key: BodyKey | None = None, **options: Any
    ) -> Job:
        return Job(
            key=key or BodyKey(uuid4(), next(self._numbers)),
            instance_id="order-42",
            definition="fulfil",
            attempt=attempt,
            step=step.options(**options) if options else step,
            arguments=msgspec.json.encode(arguments),
            asked_at=time.time_ns() // 1000,
        )

    def start(self, step: Any, *arguments: Any, **options: Any) -> Job:
        job = self.job(step, *arguments, **options)
        self.runner.start(job)
        return job

    async def run(self, step: Any, *arguments: Any, **options: Any) -> Any:
        """Run a step to its end; its value, or how it failed."""
        outcome = await self.outcome(self.start(step, *arguments, **options))
        return step.decode_result(outcome.result) if isinstance(outcome, Succeeded) else failed(outcome)

    def cut(self, job: Job) -> None:
        """Let the job's time limit pass now."""
        attempt = self.runner._attempts[job.key]
        assert attempt.limit is not None
        self.runner._cut(attempt, attempt.limit)

    async def outcome(self, job: Job) -> Any:
        ended, outcome = await asyncio.wait_for(self.ended.get(), MANY)
        assert ended is job
        return outcome

    async def _write(self, batch: Any) -> None:
        self.written.extend(batch)

    async def _delete(self, batch: Any) -> None:
        self.deleted.extend(batch)


def failed(outcome: Any) -> failures.Failure:
    assert isinstance(outcome, Errored), outcome
    return failures.decode(outcome.error)


async def told(folder: Path, name: str) -> int:
    """The number that a body has told in a file, once it is there."""
    async with asyncio.timeout(MANY):
        while not (folder / name).exists():
            await asyncio.sleep(0.005)
    return int((folder / name).read_text())


async def gone(*pids: int) -> None:
    """Wait until none of these processes is alive; zombies count as alive if they are ours to bury."""
    async with asyncio.timeout(MANY):
        while any(_alive(pid) for pid in pids):
            await asyncio.sleep(0.005)


def _alive(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE or process.ppid() == psutil.Process().pid
    except psutil.NoSuchProcess:
        return False


def _children() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "orquestrax.worker.processes.child" in _command(child)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Any:
    """Deaths on the loop that the commands use, values on the one that programs use."""
    loops = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    name = "asyncio" if item.path.name in ("test_outcomes.py", "test_progress.py") else "uvloop"
    return {name: loops[name]}


@pytest.fixture
async def make_rig() -> Any:
    made, faults = [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))

    def make(**options: Any) -> Rig:
        made.append(Rig(**options))
        return made[-1]

    yield make
    for rig in made:
        await rig.runner.stop(0)
    for rig in made:
        assert rig.ended.empty(), "told more than the test knows of"
        assert rig.children == []
    assert faults == []


@pytest.fixture
async def rig(make_rig: Any) -> Rig:
    return make_rig()
