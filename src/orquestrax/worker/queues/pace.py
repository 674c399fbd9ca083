"""How many tasks to take ahead of the slots that free up while a claim is under way.

Where bodies are short, slots would stand empty for the time of every claim. Where they are long, a task taken ahead
would wait here while another node has room. So as many are taken ahead as bodies end within two claims, and none waits
here for longer than two claims take, however slow the database is.
"""

from __future__ import annotations

import math
from typing import Final

SMOOTH: Final = 0.3  # the weight of the newest measurement


class Pace:
    """Of one executor. Times are seconds of a monotonic clock."""

    __slots__ = ("_claim", "_ended", "_rate", "_since")

    def __init__(self, now: float) -> None:
        self._rate = self._claim = 0.0
        self._ended, self._since = 0, now

    def ended(self) -> None:
        """A body has ended."""
        self._ended += 1

    def claimed(self, began: float, now: float) -> None:
        """A claim has taken this long; measure what has ended since the one before."""
        if now > self._since:
            self._rate += SMOOTH * (self._ended / (now - self._since) - self._rate)
            self._ended, self._since = 0, now
        self._claim += SMOOTH * (now - began - self._claim)

    def ahead(self, most: int) -> int:
        """How many to take beyond the free slots."""
        return min(most, math.floor(self._rate * self._claim * 2))
