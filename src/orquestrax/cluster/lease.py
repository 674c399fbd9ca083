"""The lease: how long a node may go on without having renewed its heartbeat, by its own clock.

Whoever watches it declares it dead after the lease. So it stops starting bodies `margin` before that: what it has not
been able to say cannot be relied on. The renewal counts from when it was sent, which is never later than when the
database took it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

Clock = Callable[[], float]


uptime: Final[Clock] = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""Seconds of a clock that nobody sets. Where there is one, it also counts the time that the machine slept."""


class Lease:
    """`seconds` long from each renewal. Read from any thread, renewed from one."""

    def __init__(self, seconds: float, *, margin: float, clock: Clock = uptime) -> None:
        self.seconds, self.margin, self.clock = seconds, margin, clock
        self._renewed = clock()

    def renew(self, sent: float) -> None:
        """A heartbeat that was sent then has reached the database."""
        self._renewed = sent

    def allows(self) -> bool:
        """Whether bodies may be started."""
        return self.clock() < self._renewed + self.seconds - self.margin

    @property
    def remaining(self) -> float:
        """Seconds until it ends; negative afterwards."""
        return self._renewed + self.seconds - self.clock()
