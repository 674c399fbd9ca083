"""Instances here that were running when a node died, and have not yet shown that it was not because of them.

Each of them is cleared by an event of its own, by leaving, or by having lived here for a minute. While one of them is
not, a suspect of two deaths or more is not taken: if its node dies then with nobody else to suspect, it is convicted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from orquestrax.core.memory import Memory
from orquestrax.model.rows import InstanceRow

LIVES: Final = 60.0  # seconds
ALONE: Final = 2  # the lane of those that run as the only suspect of their node


class Suspects:
    """In the order in which they came. `clock` is the host's own."""

    def __init__(self, memory: Memory, clock: Callable[[], float], *, lives: float = LIVES) -> None:
        self._memory, self._clock, self._lives = memory, clock, lives
        self._held: dict[UUID, float] = {}

    def add(self, rows: Iterable[InstanceRow]) -> None:
        """What has been claimed and is in memory now."""
        for row in rows:
            if row.suspicion and row.key in self._memory.executions:
                self._held[row.key] = self._clock()

    def __bool__(self) -> bool:
        """Whether there is one that has not been cleared."""
        return bool(self.some())

    def some(self) -> list[UUID]:
        """Two that have not been cleared, or all if there are fewer: as many as matter to whoever must be alone."""
        found, moved = list[UUID](), list[UUID]()
        for key in self._held:
            (moved if self._has_moved(key) else found).append(key)
            if len(found) > 1:
                break
        for key in moved:
            del self._held[key]
        return found

    def outlived(self, at_most: int) -> list[UUID]:
        """Those that have lived here long enough; they are no suspects any more."""
        if not self._held:
            return []
        born = self._clock() - self._lives
        found = [key for key, since in self._held.items() if since <= born][:at_most]
        for key in found:
            del self._held[key]
            if (execution := self._memory.executions.get(key)) is not None:
                execution.trial = None
        return found

    def _has_moved(self, key: UUID) -> bool:
        """Whether it has left, or something has happened to it since it came."""
        execution = self._memory.executions.get(key)
        return execution is None or not execution.is_suspect
