"""Tells of bodies that have been running for a while, with one timer for all of them.

Most steps end sooner, and a timer for each would cost more than the rest of their start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context

from orquestrax.worker.attempt import Attempt


class LongWatch:
    """Calls `tell(attempt)` once for each attempt that is still there `after` seconds after it was added."""

    def __init__(self, after: float, tell: Callable[[Attempt], None], context: Context) -> None:
        self._after, self._tell, self._context = after, tell, context
        self._loop = asyncio.get_running_loop()
        self._young: dict[Attempt, float] = {}  # in the order of starting
        self._timer: asyncio.TimerHandle | None = None

    def add(self, attempt: Attempt) -> None:
        """The attempt begins now."""
        self._young[attempt] = since = self._loop.time()
        if self._timer is None:
            self._arm(since)

    def discard(self, attempt: Attempt) -> None:
        """The attempt has ended, or nobody waits for it any more."""
        self._young.pop(attempt, None)

    def close(self) -> None:
        """Tell nothing more."""
        self._young.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, since: float) -> None:
        self._timer = self._loop.call_at(since + self._after, self._sweep, context=self._context)

    def _sweep(self) -> None:
        # Loops may call a timer early by their clock's resolution; those attempts are due as well.
        due = self._loop.time() - self._after + 0.001
        long = []
        self._timer = None
        for attempt, since in self._young.items():
            if since > due:
                self._arm(since)
                break
            long.append(attempt)
        for attempt in long:
            del self._young[attempt]
        for attempt in long:
            self._tell(attempt)
