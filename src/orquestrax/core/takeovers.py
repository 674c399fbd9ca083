"""What goes on here that a dead node held: said in each history, and counted by pairs of nodes for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from orquestrax.core.store.nodeverbs import NodeStore
from orquestrax.model.rows import History, InstanceRow


class Takeovers:
    """Counts are written at most once in `every` seconds of the host's `clock`, and when a round of claims ends."""

    def __init__(self, store: NodeStore, clock: Callable[[], float], *, every: float) -> None:
        self._store, self._clock, self._every = store, clock, every
        self._dead: dict[int, tuple[str, int]] = {}
        self._counts = Counter[int]()
        self._written = 0.0

    async def note(self, rows: Sequence[InstanceRow], histories: Mapping[UUID, History]) -> None:
        """Of these rows, from whom they come."""
        lost = Counter(row.lost_owner for row in rows if row.lost_owner is not None)
        if not lost:
            return
        if unknown := lost.keys() - self._dead.keys():
            self._dead |= await self._store.dead(unknown)
        for row in rows:
            if row.lost_owner is not None:
                histories[row.key].lost = self._dead.get(row.lost_owner)
        self._counts += lost
        if self._clock() >= self._written + self._every:
            await self.write()

    async def write(self) -> None:
        """Add up what has been counted."""
        if self._counts:
            counts, self._counts = self._counts, Counter[int]()
            self._written = self._clock()
            await self._store.took_over(counts)
