"""Whether and when a failed attempt is tried again: pure arithmetic.

`raises=` has no say here: it tells how the workflow sees an exception after the last attempt, not whether
another attempt is worth while. `never=` alone makes an exception final at once.
"""

from __future__ import annotations

import random
from typing import Final

from orquestrax.base.errors import RetryAfter
from orquestrax.model.jobs import Job
from orquestrax.model.options import Retry, seconds
from orquestrax.worker.foreign import ForeignError

# Ten years. Beyond it a due time would leave the range of dates; nobody waits for it anyway.
LONGEST: Final = 10 * 365 * 86400.0


def next_delay(
    retry: Retry, attempt: int, exc: BaseException, *, elapsed: float, rng: random.Random
) -> float | None:
    """Seconds from the end of this attempt to the start of the next; None if the failure is final.

    attempt  the number of the one that failed, from 1
    elapsed  seconds from the start of the first attempt to the end of this one
    """
    if attempt >= retry.attempts or _is_one_of(exc, retry.never):
        return None
    wanted = _wanted(exc)
    delay = _back_off(retry, attempt, rng) if wanted is None else _clamped(wanted)
    if retry.max_elapsed is not None and elapsed + delay > seconds(retry.max_elapsed):
        return None
    return delay


def delay_of(
    job: Job, exc: BaseException, *, started_at: int, ended_at: int, rng: random.Random
) -> float | None:
    """As `next_delay`, for this job; no attempt begins at or after the end of its `total_timeout`."""
    options = job.step.options
    first_at = started_at if job.first_at is None else job.first_at
    elapsed = (ended_at - first_at) / 1e6
    delay = next_delay(options.retry, job.attempt, exc, elapsed=elapsed, rng=rng)
    if delay is None or options.total_timeout is None:
        return delay
    asked = (ended_at - job.asked_at) / 1e6
    return delay if asked + delay < options.total_timeout else None


def _is_one_of(exc: BaseException, classes: tuple[type[BaseException], ...]) -> bool:
    return exc.is_one_of(classes) if isinstance(exc, ForeignError) else isinstance(exc, classes)


def _wanted(exc: BaseException) -> float | None:
    """The delay that the exception itself asks for, in seconds."""
    if isinstance(exc, ForeignError):
        return exc.after
    return exc.seconds if isinstance(exc, RetryAfter) else None


def _back_off(retry: Retry, attempt: int, rng: random.Random) -> float:
    """Exponential with jitter. The spread is kept at `max_delay` too, or a herd would come back as one."""
    longest = _clamped(seconds(retry.max_delay))
    try:
        delay = min(seconds(retry.initial) * retry.backoff ** (attempt - 1), longest)
    except OverflowError:
        delay = longest
    low, high = delay * (1 - retry.jitter), min(delay * (1 + retry.jitter), longest)
    return low + (high - low) * rng.random()


def _clamped(delay: float) -> float:
    """A delay that can be added to a time; not a number counts as none."""
    return min(delay, LONGEST) if delay > 0 else 0.0
