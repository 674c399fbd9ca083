"""Time: the database's clock as a node knows it between two replies.

Instances live by the database's clock alone, so that nodes with wrong clocks agree. Each reply that carries
database time gives a pair (time, monotonic time of receipt). The clock can only have gone on since, so
`time + elapsed x 0.999` from the latest reply is a lower bound of the database's time now; it never goes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

Monotonic = Callable[[], float]
DRIFT: Final = 0.999
_RATE: Final = 1_000_000 * DRIFT  # microseconds of the bound for each second of the host


class DatabaseClock:
    """A lower bound of the database's time in microseconds since the epoch, never decreasing."""

    def __init__(self, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._base, self._received = 0, 0.0
        self._latest = 0

    def observe(self, database_time: int) -> None:
        """Take the time that a reply carried, which has just been received."""
        self._base, self._received = database_time, self._monotonic()

    def now(self) -> int:
        """The bound, in microseconds. 0 until the first reply."""
        bound = self._base + int((self._monotonic() - self._received) * _RATE)
        if bound > self._latest:  # noqa: PLR1730 - `max` costs as much as the rest
            self._latest = bound
        return self._latest

    def seconds_until(self, due: int) -> float:
        """How long to wait, in seconds of the host's clock, until the bound has reached `due`; at least 0."""
        return max(0.0, (due - self.now()) / 1_000_000 / DRIFT)
