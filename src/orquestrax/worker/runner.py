"""Runs the attempts that a node has taken on, and reports each outcome exactly once.

Belongs to one node and lives on its event loop; all of it is called from, and calls back from, plain
callbacks of that loop. Whoever is called back may start the next job at once: by then the slot is free.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Final

from orquestrax.base import failures
from orquestrax.base.logs import name_records
from orquestrax.define.resources import Resources
from orquestrax.model.jobs import BodyKey, Delivered, Errored, Job, Outcome, Result, Succeeded
from orquestrax.model.options import Executor
from orquestrax.worker.attempt import Attempt
from orquestrax.worker.bodies import run_coroutine, run_in_thread
from orquestrax.worker.foreign import ForeignError
from orquestrax.worker.jobs import Jobs
from orquestrax.worker.limits import Limit, end_limit, start_limit
from orquestrax.worker.longwatch import LongWatch
from orquestrax.worker.processes.body import run_in_process
from orquestrax.worker.processes.pool import ProcessPool
from orquestrax.worker.pulse import Pulse
from orquestrax.worker.reports import Delete, Reports, Write, nowhere
from orquestrax.worker.retrying import delay_of
from orquestrax.worker.silence import SilenceWatch
from orquestrax.worker.slots import DEFAULT_SLOTS, Slots
from orquestrax.worker.threads import ThreadPool
from orquestrax.worker.transactions.body import run_transactional
from orquestrax.worker.transactions.service import Transactions

_log = logging.getLogger(__name__)


class StepRunner:
    """The bodies of one node.

    now           the database's clock: microseconds, never decreasing
    on_end        called with the outcome of each job that was neither cancelled nor cut short by `stop`
    on_free       called when a slot is free again without an outcome: an abandoned body has ended
    on_long       called with a job and its start once it has been running for `long_after` seconds
    write_progress, delete_progress  where what bodies say of themselves is kept; see `reports`
    transactions  what transactional steps share; None on a node without them
    may_start     asked before each body: False while the node cannot renew its lease
    cancel_grace  seconds that a coroutine has to end after its cancellation

    running       the jobs whose outcome someone waits for, by key
    abandoned     bodies that nobody waits for any more and that have not ended; each still takes its slot
    """

    def __init__(
        self,
        *,
        node: str,
        now: Callable[[], int],
        resources: Resources,
        on_end: Callable[[Job, Outcome], None],
        on_long: Callable[[Job, int], None],
        on_free: Callable[[Executor], None] = lambda _executor: None,
        write_progress: Write = nowhere,
        delete_progress: Delete = nowhere,
        transactions: Transactions | None = None,
        slots: Mapping[Executor, int] = DEFAULT_SLOTS,
        limits: Mapping[str, int] | None = None,
        may_start: Callable[[], bool] = lambda: True,
        long_after: float = 1.0,
        cancel_grace: float = 5.0,
        rng: random.Random | None = None,
    ) -> None:
        self._loop: Final = asyncio.get_running_loop()
        # Callbacks run in the node's context, not in that of whichever turn happened to start the job.
        self._context: Final = copy_context()
        self._now, self._resources, self._on_end, self._on_free = now, resources, on_end, on_free
        self._transactions, self._may_start = transactions, may_start
        self._cancel_grace, self._rng = cancel_grace, rng or random.Random()
        # What a body starts from; copying a context costs nothing, whatever it holds.
        self._ground: Final = Context()
        self._ground.run(resources.enter)
        self.slots: Final = Slots(slots, limits)
        self.places: Final = self.slots.places
        self.slots_of: Final = self.slots.total
        self._threads: Final = ThreadPool(f"{node}-step")
        self._processes: Final = ProcessPool(
            self.slots.free("process"), lambda attempt: self._silence.add(attempt)
        )
        self._silence: Final = SilenceWatch(self._cut, self._context)
        self.reports: Final = Reports(write_progress, delete_progress)
        self._attempts: dict[BodyKey, Attempt] = {}
        self._watch: Final = LongWatch(
            long_after, self._attempts, lambda a: on_long(a.job, a.started_at), now, self._context
        )
        self.running: Final[Mapping[BodyKey, Job]] = Jobs(self._attempts)
        self.abandoned: Final[dict[Attempt, Job]] = {}
        self._stopping = False
        name_records()

    def free(self, executor: Executor) -> int:
        """How many more bodies may start now."""
        return 0 if self._stopping or not self._may_start() else self.slots.free(executor)

    def has_slot(self, executor: Executor) -> bool:
        """Whether `start` may be called for one more job of this executor."""
        return not self._stopping and self.slots.free(executor) > 0 and self._may_start()

    def is_running(self, key: BodyKey) -> bool:
        """Whether someone waits for the outcome of this body."""
        return key in self._attempts

    def start(self, job: Job) -> None:
        """Start the attempt; its outcome comes by `on_end`, never before this call has returned.

        Takes a slot, except for a job that is overdue (`limits.queue_deadline`): that one expires.
        Errors: RuntimeError if there is no free slot, if the body is running already, or after `stop`.
        """
        attempt = self._begin(job)
        limit = start_limit(job) if job.step.options.limited else None
        if limit is not None and attempt.started_at >= limit.at:
            self._loop.call_soon(self._refuse, attempt, limit, context=self._context)
        else:
            self._launch(attempt, job.step.options.executor)
        self._attempts[job.key] = attempt

    def expire(self, job: Job) -> None:
        """Fail a job that waited until its `limits.queue_deadline`: it does not run, and takes no slot.

        Errors: RuntimeError as `start`; ValueError if the job may wait for ever.
        """
        limit = start_limit(job)
        if limit is None:
            raise ValueError(f"step {job.step.name!r} has neither queue_timeout nor total_timeout to expire")
        self._attempts[job.key] = attempt = self._begin(job)
        self._loop.call_soon(self._refuse, attempt, limit, context=self._context)

    def cancel(self, key: BodyKey) -> None:
        """The workflow went on without the step: cancel the coroutine or leave the thread, report nothing."""
        attempt = self._attempts.get(key)
        if attempt is not None:
            self._drop(attempt)
        self._over(key)

    async def stop(self, grace: float) -> None:
        """Start nothing more, wait up to `grace` seconds for the bodies, then cancel or leave the rest.

        Nothing is reported of the latter: they run again elsewhere.
        """
        self._stopping = True
        await _wait(self._attempts.values(), grace)
        for attempt in list(self._attempts.values()):
            self._drop(attempt)
        await _wait(self.abandoned, self._cancel_grace)
        await self._processes.close()
        await self.reports.close()
        self._watch.close()
        self._threads.close()
        for attempt in self.abandoned:
            _log.warning("left behind, its body does not end: %s", attempt.name)

    def warm(self, steps: Iterable[Any]) -> None:
        """Start the child processes that these steps will run in, before they are asked for."""
        needing = [step for step in steps if step.options.executor == "process"]
        if needing and not self._stopping:
            self._processes.warm(needing)

    def abandon(self) -> None:
        """Drop everything at once, as a crash would."""
        self._stopping = True
        for attempt in list(self._attempts.values()):
            self._drop(attempt)
        self._watch.close()
        self._processes.abandon()
        self.reports.abandon()

    async def ended(self) -> None:
        """After `abandon`: wait until its bodies have ended, for as long as they may take for that."""
        await _wait(self.abandoned, self._cancel_grace)

    def _begin(self, job: Job) -> Attempt:
        if self._stopping or job.key in self._attempts:
            raise RuntimeError(f"step {job.step.name!r} of {job.instance_id!r}: stopping, or running already")
        attempt = Attempt(job, self._now(), self.reports)
        if job.step.options.limited:
            attempt.limit = end_limit(job, attempt.started_at)
        if self.reports.known and (before := self.reports.known.get(job.key)) is not None:
            attempt.pulse = Pulse(before)
        return attempt

    def _launch(self, attempt: Attempt, executor: Executor) -> None:
        self.slots.take(executor, attempt.job.step.options.queue)
        body: Coroutine[Any, Any, Result | Delivered | BaseException]
        if self._transactions is not None and attempt.job.step.options.transactional:
            body = run_transactional(attempt, self._resources, self._transactions, self._threads)
        elif executor == "async":
            body = run_coroutine(attempt, self._resources)
        elif executor == "process":
            body = run_in_process(attempt, self._processes)
        else:
            body = run_in_thread(attempt, self._resources, self._threads)
        # Not loop.create_task: an eager task factory, if the process has one, would run the body right here.
        task = asyncio.Task(body, loop=self._loop, name=attempt.name, context=self._ground.copy())
        task.add_done_callback(partial(self._ended, attempt), context=self._context)
        attempt.task = task
        if self._watch.asleep:
            self._watch.wake()
        if executor != "process" and attempt.job.step.options.heartbeat_timeout is not None:
            self._silence.add(attempt)
        if attempt.limit is not None:
            delay = (attempt.limit.at - attempt.started_at) / 1e6
            attempt.timer = self._loop.call_later(
                delay, self._cut, attempt, attempt.limit, context=self._context
            )

    def _ended(self, attempt: Attempt, task: asyncio.Task[Result | Delivered | BaseException]) -> None:
        outcome: Result | Delivered | BaseException
        try:
            outcome = task.result()
        except asyncio.CancelledError as cancelled:  # before it began
            outcome = cancelled
        attempt.task = None
        if attempt.call is not None and not attempt.call.ended:
            self.abandoned[attempt] = attempt.job
            attempt.call.on_end = partial(self._release_late, attempt)
        elif attempt.waited_for:
            self._release(attempt)
        else:
            self._release_late(attempt)
        if attempt.waited_for:
            self._report(attempt, outcome)

    def _cut(self, attempt: Attempt, limit: Limit) -> None:
        """The time limit has passed. As in asyncio the body may answer its cancellation, but not for ever."""
        if attempt.task is not None and attempt.task.cancel():
            attempt.cut = limit
            attempt.disarm()
            attempt.timer = self._loop.call_later(
                self._cancel_grace, self._give_up, attempt, context=self._context
            )

    def _give_up(self, attempt: Attempt) -> None:
        if attempt.ticket is not None and not attempt.ticket.revoke():
            return  # it commits: the outcome is on its way
        self.abandoned[attempt] = attempt.job
        self._report(attempt, asyncio.CancelledError())

    def _refuse(self, attempt: Attempt, limit: Limit) -> None:
        if attempt.waited_for:
            self._forget(attempt)
            self._on_end(attempt.job, self._errored(attempt, limit.error(attempt.job.step.name), final=True))

    def _report(self, attempt: Attempt, outcome: Result | Delivered | BaseException) -> None:
        self._forget(attempt)
        if isinstance(outcome, tuple):
            if self.reports.known:
                self._over(attempt.job.key)
            encoded, value = outcome
            self._on_end(attempt.job, Succeeded(encoded, attempt.started_at, self._now(), value))
        elif isinstance(outcome, Delivered):
            self._over(attempt.job.key)
            self._on_end(attempt.job, outcome)
        else:
            if attempt.cut is not None and isinstance(outcome, asyncio.CancelledError):
                outcome = attempt.cut.error(attempt.job.step.name)
            errored = self._errored(attempt, outcome)
            if errored.delay is None:
                self._over(attempt.job.key)
            self._on_end(attempt.job, errored)

    def _errored(self, attempt: Attempt, exc: BaseException, *, final: bool = False) -> Errored:
        job, started_at, ended_at = attempt.job, attempt.started_at, self._now()
        delay = delay_of(job, exc, started_at=started_at, ended_at=ended_at, rng=self._rng)
        error = exc.encoded if isinstance(exc, ForeignError) else failures.encode(exc, step=job.step.name)
        return Errored(error, started_at, ended_at, None if final else delay)

    def _drop(self, attempt: Attempt) -> None:
        """Nobody waits for the outcome any more."""
        self._forget(attempt)
        if attempt.ticket is not None:
            attempt.ticket.revoke()
        if attempt.task is not None:
            self.abandoned[attempt] = attempt.job
            attempt.task.cancel()

    def _forget(self, attempt: Attempt) -> None:
        attempt.waited_for = False
        if attempt.timer is not None or attempt.pulse is not None:
            attempt.disarm()
        if attempt.pulse is not None:
            self.reports.ended(attempt)
        del self._attempts[attempt.job.key]

    def _over(self, key: BodyKey) -> None:
        """No other attempt of this step follows here."""
        if key in self.reports.known:
            self.reports.over(key)

    def _release(self, attempt: Attempt) -> None:
        if self.abandoned:
            self.abandoned.pop(attempt, None)
        if attempt.call is not None:
            attempt.call = None  # it holds the body's context, and that holds the attempt
        self.slots.give_back((options := attempt.job.step.options).executor, options.queue)

    def _release_late(self, attempt: Attempt) -> None:
        """Nothing is told of this end, but whoever keeps jobs waiting wants to know of the slot."""
        self._release(attempt)
        self._on_free(attempt.job.step.options.executor)


async def _wait(attempts: Iterable[Attempt], at_most: float) -> None:
    tasks = [attempt.task for attempt in attempts if attempt.task is not None]
    if tasks:
        await asyncio.wait(tasks, timeout=at_most)
