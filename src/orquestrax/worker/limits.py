"""The moments at which an attempt is cut, or must have begun. Times are microseconds by the database's clock.

::

    asked ──── queue_timeout ────▶│            the first attempt has begun by then
            started ── timeout ──▶│            this attempt has ended by then
            heartbeat ── heartbeat_timeout ──▶│       the next heartbeat has come by then
    asked ──────────── total_timeout ────────▶│    everything has, waits included
"""

from __future__ import annotations

from typing import Final, NamedTuple

from orquestrax.base.errors import StepTimedOut
from orquestrax.model.jobs import Job

_SENTENCES: Final = {
    "timeout": "step {step!r} ran longer than {limit} s (timeout={limit})",
    "total_timeout": "step {step!r} took longer than {limit} s in all (total_timeout={limit})",
    "heartbeat_timeout": "step {step!r} has not called heartbeat for {limit} s (heartbeat_timeout={limit})",
    "queue_timeout": "step {step!r} waited longer than {limit} s to start (queue_timeout={limit})",
}


class Limit(NamedTuple):
    """One of the time limits of a step, as a moment."""

    at: int
    option: str
    seconds: float

    def error(self, step: str) -> StepTimedOut:
        """What the workflow sees when the limit has passed."""
        limit = f"{self.seconds:.6f}".rstrip("0").rstrip(".")
        return StepTimedOut(_SENTENCES[self.option].format(step=step, limit=limit), step=step)


def end_limit(job: Job, started_at: int) -> Limit | None:
    """By when an attempt that starts now must have ended, and why; None if it may take for ever."""
    options = job.step.options
    own = _limit(started_at, "timeout", options.timeout)
    total = _limit(job.asked_at, "total_timeout", options.total_timeout)
    return own if total is None else total if own is None else min(own, total)


def start_limit(job: Job) -> Limit | None:
    """By when the attempt must have started, and why; None if it may wait for ever."""
    options = job.step.options
    total = _limit(job.asked_at, "total_timeout", options.total_timeout)
    if job.first_at is not None:
        return total
    queue = _limit(job.asked_at, "queue_timeout", options.queue_timeout)
    return queue if total is None else total if queue is None else min(queue, total)


def queue_deadline(job: Job) -> int | None:
    """Until when this job may wait for a slot; started after it, it fails at once without running.

    Whoever keeps jobs waiting hands an overdue one to `StepRunner.expire`.
    """
    limit = start_limit(job)
    return None if limit is None else limit.at


def _limit(since: int, option: str, after: float | None) -> Limit | None:
    return None if after is None else Limit(since + round(after * 1_000_000), option, after)
