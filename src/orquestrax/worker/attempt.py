"""One body under way, seen by the runner.

::

    waited for ── ends ──▶ reported                       its outcome goes to `on_end`, its slot is free
        │
        └── cancelled, or given up ──▶ abandoned ── ends ──▶ forgotten       the slot is taken until then
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec

from orquestrax.base.logs import Names
from orquestrax.model.jobs import Delivered, Job, Result
from orquestrax.worker.limits import Limit
from orquestrax.worker.pulse import Pulse, Told
from orquestrax.worker.threads import Call
from orquestrax.worker.transactions.ticket import Ticket


class Listener(Protocol):
    """Hears of attempts whose bodies say something; see `reports`."""

    def call(self, attempt: Attempt, /) -> None:
        """From any thread: this attempt has said something."""


class Attempt(msgspec.Struct, eq=False):
    """What the runner knows of one body.

    limit   when and why it will be cut, None if never
    cut     the limit that has passed
    task    the asyncio task that runs it, None before and after
    call    the call in a thread, for plain functions
    timer   the next thing to happen by time: the cut, then giving up
    ticket  whether it may still be given up, for transactional steps
    pulse   what its body said of itself, None if that is of no interest so far
    known_long  whether it was told that it has been running for a while
    """

    job: Job
    started_at: int
    reports: Listener | None = None
    limit: Limit | None = None
    cut: Limit | None = None
    task: asyncio.Task[Result | Delivered | BaseException] | None = None
    call: Call | None = None
    timer: asyncio.TimerHandle | None = None
    ticket: Ticket | None = None
    pulse: Pulse | None = None
    waited_for: bool = True
    known_long: bool = False

    @property
    def name(self) -> str:
        """For tasks and threads: step, number of its command, instance."""
        job = self.job
        return f"{job.step.name}#{job.key.command}@{job.instance_id}"

    @property
    def names(self) -> Names:
        """For log records: see `base.logs`."""
        return Names(self.job.instance_id, self.job.step.name, self.job.attempt)

    def say(self, told: Told) -> None:
        """Its body, in whichever thread, tells of itself."""
        pulse = self.pulse
        if pulse is None:
            pulse = self.pulse = Pulse()
        pulse.hear(told)
        if not pulse.pending and self.reports is not None:
            pulse.pending = True
            self.reports.call(self)

    def disarm(self) -> None:
        """Nothing happens by time any more."""
        if self.pulse is not None and self.pulse.timer is not None:
            self.pulse.timer.cancel()
            self.pulse.timer = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
