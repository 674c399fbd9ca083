"""A runner on a real loop, once on asyncio's and once on uvloop, clock and outcomes in the test's hands."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from uuid import uuid4

import msgspec
import pytest
import uvloop

from orquestrax.define.resources import Resources
from orquestrax.define.step import step
from orquestrax.model.jobs import BodyKey, Job
from orquestrax.worker.runner import StepRunner


class Clock:
    """The database's clock: real time, and what the test adds to it."""

    def __init__(self):
        self.ahead = 0

    def now(self):
        return time.time_ns() // 1000 + self.ahead

    def skip(self, seconds):
        self.ahead += int(seconds * 1_000_000)


class Rig:
    """A runner with everything it needs. `ended` and `long` hold what it told, in order."""

    def __init__(self, **options):
        self.clock = Clock()
        self.resources = Resources()
        self.ended, self.long, self.freed = asyncio.Queue(), asyncio.Queue(), []
        self.tellers = []
        self.numbers = itertools.count(1)
        self.runner = StepRunner(
            node="node-1",
            now=self.clock.now,
            resources=self.resources,
            on_end=self._on_end,
            on_long=lambda job, started_at: self.long.put_nowait((job, started_at)),
            on_free=self.freed.append,
            rng=random.Random(1),
            **options,
        )

    def _on_end(self, job, outcome):
        self.tellers.append(asyncio.current_task())
        self.ended.put_nowait((job, outcome))

    def job(self, fn, *arguments, attempt=1, asked=0.0, first=None, instance=None, **options):
        """A job; `asked` and `first` are how many seconds ago."""
        now = self.clock.now()
        return Job(
            key=BodyKey(instance or uuid4(), next(self.numbers)),
            instance_id="order-42",
            definition="fulfil",
            attempt=attempt,
            step=step(name=fn.__name__, **options)(fn),
            arguments=msgspec.json.encode(arguments),
            asked_at=now - int(asked * 1e6),
            first_at=None if first is None else now - int(first * 1e6),
        )

    async def run(self, fn, *arguments, **options):
        """Run a step to its end; its outcome."""
        job = self.job(fn, *arguments, **options)
        self.runner.start(job)
        return await self.outcome(job)

    async def cut(self, job, began: threading.Semaphore):
        """Let the job's time limit pass as soon as its thread has begun."""
        while not began.acquire(blocking=False):
            await asyncio.sleep(0.001)
        attempt = self.runner._attempts[job.key]
        self.runner._cut(attempt, attempt.limit)

    async def outcome(self, job):
        """The outcome that is told next; it must be this job's."""
        ended, outcome = await asyncio.wait_for(self.ended.get(), 20)
        assert ended is job
        return outcome


def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def make_rig():
    """Makes rigs; nothing may be told twice or from inside of a task, no callback may fail."""
    made, faults = [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))

    def make(**options):
        made.append(Rig(**options))
        return made[-1]

    yield make
    for rig in made:
        await rig.runner.stop(0)
        await rig.resources.aclose()
        assert rig.tellers == [None] * len(rig.tellers), "told from inside of a task"
        assert rig.ended.empty(), "told more than the test knows of"
    assert faults == []


@pytest.fixture
async def rig(make_rig):
    return make_rig(long_after=0.05, cancel_grace=0.2, slots={"async": 10, "thread": 3})
