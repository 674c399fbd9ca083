"""Who in this process waits for the engine beside it: to hear of a start, or of an end."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from uuid import UUID

from orquestrax.client.views import Ending
from orquestrax.core.claimer import Claimer
from orquestrax.core.orchestrator import Orchestrator
from orquestrax.model.rows import NewInstance, Verdict

RECENT: Final = 1_000  # endings kept for who asks a moment later
SMALL: Final = 10_000  # bytes of one of them


class Askers:
    """Belongs to one incarnation. `on_ended` hears of each instance that ended here."""

    def __init__(self, on_ended: Callable[[UUID], None] | None = None) -> None:
        self._on_ended = on_ended
        self._recent: OrderedDict[UUID, Ending] = OrderedDict()
        self._waiters: dict[UUID, list[asyncio.Future[Ending | None]]] = {}
        self._starting: set[asyncio.Future[Verdict | None]] = set()

    async def start(self, new: NewInstance, orchestrator: Orchestrator, claimer: Claimer) -> Verdict | None:
        """Start local-first; None if this engine does not serve the definition, is full, or ends meanwhile."""
        if new.definition not in orchestrator.workflows or not claimer.free:
            return None
        told: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
        self._starting.add(told)
        try:
            told.get_loop().call_soon(orchestrator.start, new, _resolve(told))
            return await told
        finally:
            self._starting.discard(told)

    async def ended(self, key: UUID, orchestrator: Orchestrator) -> Ending | None:
        """Wait for an instance in this memory; None if it is not here, or leaves before its end."""
        if key not in orchestrator.memory.executions:
            return self._recent.pop(key, None)
        waiter: asyncio.Future[Ending | None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(key, []).append(waiter)
        return await waiter

    def left(self, key: UUID, ending: tuple[str, bytes | None, bytes | None] | None) -> None:
        """An instance has left this memory; without an ending it goes on elsewhere."""
        told = None if ending is None else Ending(*ending)
        waiters = self._waiters.pop(key, ())
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(told)
        if told is not None and not waiters:
            self._remember(key, told)
        if told is not None and self._on_ended is not None:
            self._on_ended(key)

    def dismiss(self) -> None:
        """The incarnation ends: nobody will tell them any more; asking again by way of the database is safe."""
        for key in list(self._waiters):
            self.left(key, None)
        for told in list(self._starting):
            _resolve(told)(None)

    def _remember(self, key: UUID, ending: Ending) -> None:
        """Keep the latest small endings: a quick workflow ends before its starter has asked for the result."""
        if len(ending.result or b"") + len(ending.error or b"") <= SMALL:
            self._recent[key] = ending
            if len(self._recent) > RECENT:
                self._recent.popitem(last=False)


def _resolve(future: asyncio.Future[Verdict | None]) -> Callable[[Verdict | None], None]:
    """Tell a verdict to whoever still waits for it."""

    def told(verdict: Verdict | None) -> None:
        if not future.done():
            future.set_result(verdict)

    return told
