"""Adoption: what was claimed is read and rebuilt in this node's memory.

While one batch is replayed, in slices of time between which what runs already gets its turn, the next may be claimed
and its histories read: replay takes the processor of this process, claims and reads that of the database. There is
never more than one batch ahead, so a mass takeover cannot fill the memory with histories.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

from orquestrax.core.orchestrator import Orchestrator
from orquestrax.core.store.nodeverbs import NodeStore
from orquestrax.core.takeovers import Takeovers
from orquestrax.model.rows import History, InstanceRow

SLICE: Final = 0.02  # seconds of replay at a time: what runs already gets its turn in between


class Adopting:
    """Takes batches in turn. `on_adopted` hears of each once it is in memory."""

    def __init__(
        self,
        store: NodeStore,
        orchestrator: Orchestrator,
        takeovers: Takeovers,
        *,
        on_read: Callable[[Mapping[UUID, History]], None],
        on_adopted: Callable[[Sequence[InstanceRow]], None],
    ) -> None:
        self._store, self._orchestrator, self._takeovers = store, orchestrator, takeovers
        self._on_read, self._on_adopted = on_read, on_adopted
        self.ahead = 0  # rows that were taken and are not in memory yet
        self._adopted: asyncio.Future[None] | None = None

    async def take(self, rows: Sequence[InstanceRow]) -> int:
        """Read the histories of these rows, and hand them over as soon as the batch before is in memory.

        Returns how many they are.
        """
        if not rows:
            return 0
        self.ahead += len(rows)
        try:
            histories = await self._histories(rows)
            await self._takeovers.note(rows, histories)
            await self.settle()
        except BaseException:
            self.ahead -= len(rows)
            raise
        self._on_read(histories)
        loop = asyncio.get_running_loop()
        self._adopted = loop.create_future()
        # Workflow code runs in plain callbacks alone, outside of any Task.
        loop.call_soon(self._adopt, rows, iter(rows), histories, self._adopted)
        return len(rows)

    async def _histories(self, rows: Sequence[InstanceRow]) -> dict[UUID, History]:
        """What has never started and has no mail has none: nobody need ask for it."""
        known = [row.key for row in rows if row.mail or not row.never_started]
        read = await self._store.histories(known) if known else {}
        return {row.key: read.get(row.key) or History() for row in rows}

    async def settle(self) -> None:
        """Wait until everything that was handed over is in memory."""
        if self._adopted is not None:
            await asyncio.wait({self._adopted})

    def abandon(self) -> None:
        """Adopt nothing more."""
        if self._adopted is not None:
            self._adopted.cancel()

    def _adopt(
        self,
        rows: Sequence[InstanceRow],
        left: Iterator[InstanceRow],
        histories: dict[UUID, History],
        adopted: asyncio.Future[None],
    ) -> None:
        """As many as fit into a slice of time; the others follow in the next turns of the loop."""
        if adopted.cancelled():
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + SLICE
        more = False
        try:
            for row in left:
                self.ahead -= 1
                self._orchestrator.adopt(row, histories[row.key])
                if loop.time() >= until:
                    more = True
                    break
        finally:
            if more:
                loop.call_soon(self._adopt, rows, left, histories, adopted)
            else:
                # What is left behind a fault of the engine itself comes with the reconciliation.
                self.ahead -= sum(1 for _ in left)
                self._on_adopted(rows)
                adopted.set_result(None)
