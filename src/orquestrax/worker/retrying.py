"""Whether and when a failed attempt is tried again: pure arithmetic.

`raises=` has no say here: it tells how the workflow sees an exception after the last attempt, not whether
another attempt is worth while. `never=` alone makes an exception final at once.
"""

from __future__ import annotations

import asyncio
import random

from orquestrax.base.errors import (
    MemoryLimitExceeded,
    ProcessCrashed,
    RetryAfter,
    StepTimedOut,
    TransactionEnded,
)
from orquestrax.model.backoff import delay_after
from orquestrax.model.jobs import Job
from orquestrax.model.options import Retry
from orquestrax.worker.foreign import ForeignError


def next_delay(
    retry: Retry, attempt: int, exc: BaseException, *, elapsed: float, rng: random.Random
) -> float | None:
    """Seconds from the end of this attempt to the start of the next; None if the failure is final.

    attempt  the number of the one that failed, from 1
    elapsed  seconds from the start of the first attempt to the end of this one
    """
    if _is_one_of(exc, retry.never):
        return None
    return delay_after(retry, attempt, wanted=_wanted(exc), elapsed=elapsed, rng=rng)


def delay_of(
    job: Job, exc: BaseException, *, started_at: int, ended_at: int, rng: random.Random
) -> float | None:
    """As `next_delay`, for this job; no attempt begins at or after the end of its `total_timeout`."""
    options = job.step.options
    first_at = started_at if job.first_at is None else job.first_at
    elapsed = (ended_at - first_at) / 1e6
    delay = next_delay(options.retry, job.attempt, exc, elapsed=elapsed, rng=rng)
    if isinstance(exc, TransactionEnded) or (options.at_most_once and not _is_known(exc)):
        return None
    if delay is None or options.total_timeout is None:
        return delay
    asked = (ended_at - job.asked_at) / 1e6
    return delay if asked + delay < options.total_timeout else None


def _is_known(exc: BaseException) -> bool:
    """Whether the body itself has said that it failed. Cut, killed or lost, it may have taken effect."""
    return not isinstance(exc, StepTimedOut | ProcessCrashed | MemoryLimitExceeded | asyncio.CancelledError)


def _is_one_of(exc: BaseException, classes: tuple[type[BaseException], ...]) -> bool:
    return exc.is_one_of(classes) if isinstance(exc, ForeignError) else isinstance(exc, classes)


def _wanted(exc: BaseException) -> float | None:
    """The delay that the exception itself asks for, in seconds."""
    if isinstance(exc, ForeignError):
        return exc.after
    return exc.seconds if isinstance(exc, RetryAfter) else None
