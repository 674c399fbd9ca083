"""The dispatcher: local first.

A step runs here if this node has a free slot; otherwise it waits in this node's memory, in order, and starts when a
slot frees. Bodies are known by (instance, command), outside of the instance, so an instance that is rebuilt finds
the bodies that still run for it, and outcomes that came while it was away.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from orquestrax.base.clock import DatabaseClock
from orquestrax.model.jobs import BodyKey, Job, Outcome
from orquestrax.model.options import Executor


class Runner(Protocol):
    """What runs bodies: the worker room provides it."""

    def is_running(self, key: BodyKey, /) -> bool:
        """Whether this body runs now."""

    def has_slot(self, executor: Executor, /) -> bool:
        """Whether one more body of this kind may start."""

    def start(self, job: Job, /) -> None:
        """Start the body; its end is told to `on_end`."""

    def expire(self, job: Job, /) -> None:
        """Fail a job that waited past its time limit; it takes no slot."""

    def cancel(self, key: BodyKey, /) -> None:
        """Tell the body to stop; its outcome is told to nobody."""


class Dispatcher:
    """Starts, queues and cancels bodies for the orchestrator, and brings outcomes back to it."""

    def __init__(
        self, runner: Runner, clock: DatabaseClock, on_outcome: Callable[[Job, Outcome], bool]
    ) -> None:
        self._runner, self._clock = runner, clock
        self._on_outcome = on_outcome
        self._waiting: dict[Executor, OrderedDict[BodyKey, Job]] = {
            "async": OrderedDict(),
            "thread": OrderedDict(),
            "process": OrderedDict(),
        }
        self._kept: dict[BodyKey, tuple[Job, Outcome]] = {}
        self._closed = False

    def dispatch(self, job: Job) -> None:
        """Run the job here, now or when a slot frees; nothing happens if its body runs already."""
        if (self._closed and not job.begun) or self._runner.is_running(job.key):
            return
        if self._kept and job.key in self._kept:
            asyncio.get_running_loop().call_soon(self._deliver_kept, job.key)
            return
        executor: Executor = job.step.options.executor
        if self._waiting[executor] or not self._runner.has_slot(executor):
            self._waiting[executor][job.key] = job
            self._watch_deadline(job)
        else:
            self._runner.start(job)

    def cancel(self, instance: UUID, command: int, executor: Executor) -> None:
        """The workflow no longer waits for this step."""
        key = BodyKey(instance, command)
        self._kept.pop(key, None)
        if self._waiting[executor].pop(key, None) is None:
            self._runner.cancel(key)

    def ended(self, job: Job, outcome: Outcome) -> None:
        """From the runner: an attempt ended. Keeps the outcome if its instance is away for the moment."""
        if not self._on_outcome(job, outcome):
            self._kept[job.key] = (job, outcome)
        executor = job.step.options.executor
        if self._waiting[executor]:
            self.freed(executor)

    def freed(self, executor: Executor) -> None:
        """A slot is free, after an outcome or the late end of an abandoned body: start what waits."""
        waiting = self._waiting[executor]
        while waiting and self._runner.has_slot(executor):
            _, job = waiting.popitem(last=False)
            self._runner.start(job)

    def forget(self, instance: UUID) -> None:
        """The instance is not this node's any more: its waiting jobs and kept outcomes mean nothing here."""
        for waiting in self._waiting.values():
            for key in [key for key in waiting if key.instance == instance]:
                del waiting[key]
        for key in [key for key in self._kept if key.instance == instance]:
            del self._kept[key]

    def hold(self, instance: UUID) -> None:
        """Nothing of the instance starts for now: what waits is let go, outcomes that nobody took are told."""
        for waiting in self._waiting.values():
            for key in [key for key, job in waiting.items() if key.instance == instance and not job.begun]:
                del waiting[key]
        for key in [key for key in self._kept if key.instance == instance]:
            asyncio.get_running_loop().call_soon(self._deliver_kept, key)

    def close(self) -> None:
        """This node starts nothing more: what waits for a slot, or for its time limit, is for a successor."""
        self._closed = True
        for waiting in self._waiting.values():
            for key in [key for key, job in waiting.items() if not job.begun]:
                del waiting[key]

    @property
    def closed(self) -> bool:
        """Whether this node starts nothing more."""
        return self._closed

    def knows(self, key: BodyKey) -> bool:
        """Whether the body runs here, waits for a slot, or has an outcome that nobody has taken yet."""
        if self._runner.is_running(key) or key in self._kept:
            return True
        return any(key in waiting for waiting in self._waiting.values())

    @property
    def backlog(self) -> int:
        """Jobs that wait for a slot."""
        return sum(len(waiting) for waiting in self._waiting.values())

    def _watch_deadline(self, job: Job) -> None:
        """A job that never gets a slot still fails in time."""
        options = job.step.options
        limits = [limit for limit in (options.queue_timeout, options.total_timeout) if limit is not None]
        if limits:
            waited = (self._clock.now() - job.asked_at) / 1_000_000
            delay = max(0.0, min(limits) - waited)
            asyncio.get_running_loop().call_later(delay, self._expire, job)

    def _expire(self, job: Job) -> None:
        if self._waiting[job.step.options.executor].pop(job.key, None) is not None:
            self._runner.expire(job)

    def _deliver_kept(self, key: BodyKey) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.ended(*kept)
