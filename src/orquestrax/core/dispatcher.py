"""The dispatcher: local first, else the cluster.

A step runs here if this node serves its queue and has a free slot. While no other live node serves the queue, the
overflow waits in this node's memory, in order, and starts when a slot frees. Otherwise only what a slot here will be
free for before the way by the queue would be over waits here, and the rest is for the cluster's queue: `takes` says so
while the turn that asked for it is still to be written, so that its task is part of the same commit. Slots that are
promised to steps between that turn and its commit are counted.

Bodies are known by (instance, command), outside of the instance, so an instance that is rebuilt finds the bodies that
still run for it, and outcomes that came while it was away.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, Protocol
from uuid import UUID

from orquestrax.base.clock import DatabaseClock
from orquestrax.core.peers import Peers
from orquestrax.core.promises import Promises
from orquestrax.core.tempo import Tempo
from orquestrax.core.waiting import Room, Waiting
from orquestrax.model.jobs import BodyKey, Job, Outcome
from orquestrax.model.options import EXECUTORS, Executor, StepOptions

SOON: Final = 0.1  # seconds: what starts here by then gains nothing by the way to another node
LATE: Final = 1_000_000  # microseconds: who has waited so long was promised too much


class Runner(Room, Protocol):
    """What runs bodies: the worker room provides it."""

    def is_running(self, key: BodyKey, /) -> bool:
        """Whether this body runs now."""

    def free(self, executor: Executor, /) -> int:
        """How many more bodies of this kind may start now."""

    def slots_of(self, executor: Executor, /) -> int:
        """How many bodies of this kind may run at once."""

    def start(self, job: Job, /) -> None:
        """Start the body; its end is told to `on_end`."""

    def expire(self, job: Job, /) -> None:
        """Fail a job that waited past its time limit; it takes no slot."""

    def cancel(self, key: BodyKey, /) -> None:
        """Tell the body to stop; its outcome is told to nobody."""


class Dispatcher:
    """Starts, queues and cancels bodies for the orchestrator, and brings outcomes back to it.

    on_outcome   takes an outcome; False if its instance is away for the moment
    on_free      a slot is free for which more may wait in the cluster's queues
    more         executors of which that is so, and `reserved`, how many slots are kept for it: the claimer's to say
    """

    def __init__(
        self,
        runner: Runner,
        clock: DatabaseClock,
        on_outcome: Callable[[Job, Outcome], bool],
        *,
        peers: Peers | None = None,
        on_free: Callable[[Executor], None] = lambda _executor: None,
    ) -> None:
        self._runner, self._clock = runner, clock
        self._on_outcome, self._on_free = on_outcome, on_free
        self.peers = peers or Peers()
        self._waiting = Waiting(self.peers.served.limits)
        self._promised = Promises()
        self._tempo = Tempo()
        self.reserved: Counter[Executor] = Counter()
        self.more = set[Executor]()
        self._kept: dict[BodyKey, tuple[Job, Outcome]] = {}
        self._closed = False

    # -- here, or elsewhere ------------------------------------------------------------------------------------------

    def takes(self, key: BodyKey, options: StepOptions) -> bool:
        """Whether this step runs, or waits, here, and promise it a slot; else it is for the cluster's queue.

        One that runs here already stays: asked for anew, after a resume or a reload, its own body has taken the slot.
        """
        if self._closed or not self.peers.spreads or self.knows(key):
            return True
        if not self.peers.serves(options.queue):
            return False
        if self.peers.shares(options.queue) and not (self._has_room(options) or self._has_soon(options)):
            return False
        self._promised.make(key, options)
        return True

    def room(self, executor: Executor) -> int:
        """How many more bodies of this kind could start now, beside those that are promised or wait."""
        taken = self._waiting.counts[executor] + self.reserved[executor] + self._promised.executors[executor]
        return self._runner.free(executor) - taken

    def places(self, queue: str) -> int | None:
        """As `room`, for a queue; None if it has no limit here."""
        free = self._runner.places(queue)
        if free is None:
            return None
        return free - self._waiting.of_queue(queue) - self._promised.queues[queue]

    def _has_room(self, options: StepOptions) -> bool:
        places = self.places(options.queue)
        return self.room(options.executor) > 0 and (places is None or places > 0)

    def _has_soon(self, options: StepOptions) -> bool:
        """Whether a slot for it will be free soon. At-most-once steps begin when they are taken, so they never wait."""
        executor = options.executor
        if options.at_most_once or self._runner.places(options.queue) is not None:
            return False
        ahead = 1 - self.room(executor)
        return self._tempo.wait(executor, ahead, self._runner.slots_of(executor)) <= SOON

    @property
    def late(self) -> bool:
        """Whether a step waits here for much longer than was expected, and could go elsewhere."""
        now, shares = self._clock.now(), self.peers.shares
        return any(
            now - job.asked_at > LATE and not (job.claimed or job.begun) and shares(job.step.options.queue)
            for job in self._waiting
        )

    def room_for_claims(self, executor: Executor) -> int:
        """As `room`; steps of instances here that wait for their turn do not keep those of the queue from theirs."""
        return self.room(executor) + self._waiting.own[executor]

    def overflow(self) -> list[Job]:
        """Jobs of this node's instances that wait here although another node serves their queue: they leave."""
        shares = self.peers.shares
        return self._waiting.remove_where(
            lambda job: not (job.claimed or job.begun) and shares(job.step.options.queue)
        )

    def claimed(self) -> list[Job]:
        """Jobs that were taken from a queue and wait for a slot: they leave."""
        return self._waiting.remove_where(lambda job: job.claimed)

    def release(self, instance: UUID, commands: Iterable[int]) -> None:
        """An instance leaves memory: nothing is promised to its steps any more."""
        if self._promised.of:
            for command in commands:
                self._promised.end(BodyKey(instance, command))

    # -- bodies ------------------------------------------------------------------------------------------------------

    def dispatch(self, job: Job) -> None:
        """Run the job here, now or when a slot frees; nothing happens if its body runs already."""
        if self._promised.of:
            self._promised.end(job.key)
        if (self._closed and not job.begun) or self._runner.is_running(job.key):
            return
        if self._kept and job.key in self._kept:
            asyncio.get_running_loop().call_soon(self._deliver_kept, job.key)
            return
        executor: Executor = job.step.options.executor
        limits = self.peers.served.limits
        if (
            self._waiting.counts[executor]
            or not self._runner.has_slot(executor)
            or (limits and self._runner.places(job.step.options.queue) == 0)
        ):
            self._waiting.add(job)
            self._watch_deadline(job)
            if limits:
                self._start_waiting(executor)
        else:
            self._runner.start(job)

    def cancel(self, instance: UUID, command: int, executor: Executor) -> None:
        """The workflow no longer waits for this step."""
        key = BodyKey(instance, command)
        self._kept.pop(key, None)
        if self._promised.of:
            self._promised.end(key)
        if self._waiting.remove(executor, key) is None:
            self._runner.cancel(key)

    def give_up(self, key: BodyKey) -> None:
        """A job that was taken from a queue is not this node's any more."""
        for executor in EXECUTORS:
            self.cancel(key.instance, key.command, executor)

    def ended(self, job: Job, outcome: Outcome) -> None:
        """From the runner: an attempt ended. Keeps the outcome if its instance is away for the moment."""
        if not self._on_outcome(job, outcome):
            self._kept[job.key] = (job, outcome)
        executor = job.step.options.executor
        if self.peers.spreads:
            self._tempo.ended(executor, outcome)
        if self._waiting.counts[executor] or self.more:
            self.freed(executor)

    def freed(self, executor: Executor) -> None:
        """A slot is free, after an outcome or the late end of an abandoned body: start what waits."""
        self._start_waiting(executor)
        if executor in self.more:
            self._on_free(executor)

    def forget(self, instance: UUID) -> None:
        """The instance is not this node's any more: its waiting jobs and kept outcomes mean nothing here."""
        self._waiting.remove_where(lambda job: job.key.instance == instance and not job.claimed)
        for key in [key for key in self._kept if key.instance == instance]:
            del self._kept[key]

    def hold(self, instance: UUID) -> list[Job]:
        """Nothing of the instance starts for now: outcomes that nobody took are told, what waits leaves."""
        for key in [key for key in self._kept if key.instance == instance]:
            asyncio.get_running_loop().call_soon(self._deliver_kept, key)
        return self._waiting.remove_where(
            lambda job: job.key.instance == instance and not (job.begun or job.claimed)
        )

    def close(self) -> None:
        """This node starts nothing more: what waits for a slot, or for its time limit, is for a successor."""
        self._closed = True
        self._waiting.remove_where(lambda job: not job.begun)

    @property
    def closed(self) -> bool:
        """Whether this node starts nothing more."""
        return self._closed

    def knows(self, key: BodyKey) -> bool:
        """Whether the body runs here, waits for a slot, or has an outcome that nobody has taken yet."""
        return self._runner.is_running(key) or key in self._kept or key in self._waiting

    @property
    def backlog(self) -> int:
        """Jobs that wait for a slot."""
        return len(self._waiting)

    def _start_waiting(self, executor: Executor) -> None:
        while self._waiting.counts[executor] and self._runner.has_slot(executor):
            job = self._waiting.next(executor, self._runner)
            if job is None:
                return
            self._runner.start(job)

    def _watch_deadline(self, job: Job) -> None:
        """A job that never gets a slot still fails in time."""
        options = job.step.options
        limits = [limit for limit in (options.queue_timeout, options.total_timeout) if limit is not None]
        if limits:
            waited = (self._clock.now() - job.asked_at) / 1_000_000
            delay = max(0.0, min(limits) - waited)
            asyncio.get_running_loop().call_later(delay, self._expire, job)

    def _expire(self, job: Job) -> None:
        if self._waiting.remove(job.step.options.executor, job.key) is not None:
            self._runner.expire(job)

    def _deliver_kept(self, key: BodyKey) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.ended(*kept)
