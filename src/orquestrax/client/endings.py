"""Waiting for the end of instances: hints wake whoever waits, a poll each second finds what a lost hint left."""

from __future__ import annotations

import asyncio
import logging
from typing import Final
from uuid import UUID

from orquestrax.base.errors import DatabaseUnreachable
from orquestrax.core.store.clientverbs import ClientStore, InstanceView
from orquestrax.core.store.hints import Hints
from orquestrax.model.states import TERMINAL

log = logging.getLogger(__name__)
POLL: Final = 1.0


class Endings:
    """One per client; costs nothing while nobody waits."""

    def __init__(self, store: ClientStore, hints: Hints, *, poll: float = POLL) -> None:
        self._store, self._poll = store, poll
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._stop_listening = hints.listen("view", self._hint)

    def close(self) -> None:
        """Listen no more."""
        self._stop_listening()

    async def wait(self, key: UUID) -> InstanceView:
        """The instance, once it has ended."""
        changed = asyncio.Event()
        self._waiting.setdefault(key, set()).add(changed)
        try:
            while True:
                changed.clear()
                ended = await self._look(key)
                if ended is not None:
                    return ended
                try:
                    async with asyncio.timeout(self._poll):
                        await changed.wait()
                except TimeoutError:
                    continue
        finally:
            waiting = self._waiting[key]
            waiting.discard(changed)
            if not waiting:
                del self._waiting[key]

    async def _look(self, key: UUID) -> InstanceView | None:
        """The instance if it has ended. An outage of the database is waited out: whoever waits has time."""
        try:
            rows = await self._store.by_key([key])
        except DatabaseUnreachable as error:
            log.warning("%s", error)
            return None
        return rows[0] if rows and rows[0].status in TERMINAL else None

    def _hint(self, payload: str) -> None:
        keys = list(self._waiting) if payload == "*" else map(UUID, payload.split())
        for key in keys:
            for changed in self._waiting.get(key, ()):
                changed.set()
