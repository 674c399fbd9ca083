"""The instances that this node holds in memory, by key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from orquestrax.core.execution import Execution

Ending = tuple[str, bytes | None, bytes | None] | None
"""Status, result and error of an instance that ended; None for one that left without having ended."""


class Memory:
    """Who waits for an instance here is told when it leaves: `on_left(key, ending)`."""

    def __init__(self, on_left: Callable[[UUID, Ending], None]) -> None:
        self.executions: dict[UUID, Execution] = {}
        self._on_left = on_left
        self._moved, self._watched = set[UUID](), False
        self._emptied: asyncio.Event | None = None

    def remove(self, key: UUID, ending: Ending) -> None:
        """The instance leaves."""
        self.executions.pop(key, None)
        if self._watched:
            self._moved.add(key)
        self._on_left(key, ending)
        if self._emptied is not None and not self.executions:
            self._emptied.set()

    async def until_empty(self, seconds: float) -> None:
        """Wait until nothing is left here, but not longer than this."""
        if not self.executions:
            return
        self._emptied = asyncio.Event()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._emptied.wait()

    @contextmanager
    def watching(self) -> Iterator[set[UUID]]:
        """The keys that were here at the start of the block, or have left since.

        Only a row that is mine and was never here meanwhile is missing: one that ended or parked during a slow read
        must not be rebuilt from what that read saw.
        """
        self._moved, self._watched = set(self.executions), True
        try:
            yield self._moved
        finally:
            self._moved, self._watched = set(), False
