"""Watches bodies that promised to give signs of life: `heartbeat_timeout`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Final

from orquestrax.worker.attempt import Attempt
from orquestrax.worker.limits import Limit
from orquestrax.worker.pulse import Pulse

_EARLY: Final = 0.001  # seconds; loops may call a timer early by their clock's resolution


class SilenceWatch:
    """Calls `cut(attempt, limit)` for an attempt that has said nothing for as long as its step allows."""

    def __init__(self, cut: Callable[[Attempt, Limit], None], context: Context) -> None:
        self._cut, self._context = cut, context
        self._loop = asyncio.get_running_loop()

    def add(self, attempt: Attempt) -> None:
        """The body of an attempt begins now, and its step has a `heartbeat_timeout`."""
        patience = attempt.job.step.options.heartbeat_timeout
        assert patience is not None
        pulse = attempt.pulse = attempt.pulse or Pulse()
        pulse.at = self._loop.time()
        self._arm(attempt, pulse, patience)

    def _arm(self, attempt: Attempt, pulse: Pulse, patience: float) -> None:
        # The loops' clock is the monotonic one.
        pulse.timer = self._loop.call_at(
            pulse.at + patience, self._look, attempt, pulse, patience, context=self._context
        )

    def _look(self, attempt: Attempt, pulse: Pulse, patience: float) -> None:
        if self._loop.time() + _EARLY >= pulse.at + patience:
            pulse.timer = None
            self._cut(attempt, Limit(0, "heartbeat_timeout", patience))
        else:
            self._arm(attempt, pulse, patience)
