"""Tells of bodies that have been running for a while, with one timer for all of them.

Most steps end sooner: a timer for each, or a place in a list of its own, would cost more than the rest of their start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context
from itertools import dropwhile
from typing import Any

from orquestrax.worker.attempt import Attempt


class LongWatch:
    """Calls `tell(attempt)` once for each attempt that is still there `after` seconds after it began.

    attempts  those under way, in the order of their beginning
    now       the clock of their `started_at`, in microseconds
    asleep    whether nothing is watched: `wake` whenever an attempt begins
    """

    def __init__(
        self,
        after: float,
        attempts: Mapping[Any, Attempt],
        tell: Callable[[Attempt], None],
        now: Callable[[], int],
        context: Context,
    ) -> None:
        self._after, self._attempts, self._tell, self._now, self._context = (
            after,
            attempts,
            tell,
            now,
            context,
        )
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.asleep = True

    def wake(self) -> None:
        """Look in a while."""
        self._arm(self._after)

    def close(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.asleep = True

    def _arm(self, delay: float) -> None:
        self.asleep = False
        self._timer = self._loop.call_later(delay, self._sweep, context=self._context)

    def _sweep(self) -> None:
        due = self._now() - round(self._after * 1_000_000)
        self.asleep = True
        untold = [attempt for attempt in self._attempts.values() if not attempt.known_long]
        long = [attempt for attempt in untold if attempt.started_at <= due]
        young = next(dropwhile(lambda attempt: attempt.started_at <= due, untold), None)
        if young is not None:
            self._arm(max(0.01, (young.started_at - due) / 1_000_000))
        for attempt in long:
            attempt.known_long = True
        for attempt in long:
            self._tell(attempt)
