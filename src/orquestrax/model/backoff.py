"""How long to wait before another attempt, of a step or of a whole run: pure arithmetic."""

from __future__ import annotations

import random
from typing import Final

from orquestrax.model.options import Retry, seconds

# Ten years. Beyond it a due time would leave the range of dates; nobody waits for it anyway.
LONGEST: Final = 10 * 365 * 86400.0


def delay_after(
    retry: Retry, attempt: int, *, wanted: float | None, elapsed: float, rng: random.Random
) -> float | None:
    """Seconds from the end of this attempt to the start of the next; None if there is none.

    attempt  the number of the one that failed, from 1
    wanted   the delay that the failure itself asked for
    elapsed  seconds from the start of the first attempt to the end of this one
    """
    if attempt >= retry.attempts:
        return None
    delay = _back_off(retry, attempt, rng) if wanted is None else clamped(wanted)
    if retry.max_elapsed is not None and elapsed + delay > seconds(retry.max_elapsed):
        return None
    return delay


def _back_off(retry: Retry, attempt: int, rng: random.Random) -> float:
    """Exponential with jitter. The spread is kept at `max_delay` too, or a herd would come back as one."""
    longest = clamped(seconds(retry.max_delay))
    try:
        delay = min(seconds(retry.initial) * retry.backoff ** (attempt - 1), longest)
    except OverflowError:
        delay = longest
    low, high = delay * (1 - retry.jitter), min(delay * (1 + retry.jitter), longest)
    return low + (high - low) * rng.random()


def clamped(delay: float) -> float:
    """A delay that can be added to a time; not a number counts as none."""
    return min(delay, LONGEST) if delay > 0 else 0.0
