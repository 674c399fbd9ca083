"""What falls due in this node's memory: one heap, one host timer for the earliest.

Due times are microseconds by the database's clock; nothing fires before the node's lower bound of it has got there.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Final
from uuid import UUID

from orquestrax.base.clock import DatabaseClock

MOMENT: Final = 0.001  # seconds; the host's timer is coarser than the clock it stands for


class Timers:
    """Calls `on_due(instance, command)` from plain callbacks; whether it still matters is the callee's to judge."""

    def __init__(self, clock: DatabaseClock, on_due: Callable[[UUID, int], None]) -> None:
        self._clock, self._on_due = clock, on_due
        self._heap: list[tuple[int, UUID, int]] = []
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for = 0

    def arm(self, due: int, instance: UUID, command: int) -> None:
        """Fire once when the database's clock has reached `due`."""
        heapq.heappush(self._heap, (due, instance, command))
        if self._handle is None or due < self._armed_for:
            self._rearm()

    def stop(self) -> None:
        """Forget everything."""
        self._heap.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _rearm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._heap:
            self._armed_for = self._heap[0][0]
            delay = self._clock.seconds_until(self._armed_for)
            self._handle = asyncio.get_running_loop().call_later(delay + MOMENT if delay else 0, self._fire)

    def _fire(self) -> None:
        self._handle = None
        now = self._clock.now()
        try:
            while self._heap and self._heap[0][0] <= now:
                _, instance, command = heapq.heappop(self._heap)
                self._on_due(instance, command)
        finally:
            self._rearm()
