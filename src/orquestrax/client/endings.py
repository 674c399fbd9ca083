"""Waiting for the end of instances: hints wake whoever waits, a poll each second finds what a lost hint left.

However many are waited for, one statement asks for all that may have ended; what is hinted while it is under way is
what the next one asks for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final
from uuid import UUID

from orquestrax.base.errors import DatabaseUnreachable
from orquestrax.core.store.clientverbs import ClientStore, End
from orquestrax.core.store.hints import Hints

log = logging.getLogger(__name__)
POLL: Final = 1.0
MOST: Final = 1_000  # instances in one statement


class Endings:
    """One per client; costs nothing while nobody waits."""

    def __init__(self, store: ClientStore, hints: Hints, *, poll: float = POLL) -> None:
        self._store, self._poll = store, poll
        self._waiting: dict[UUID, list[asyncio.Future[End]]] = {}
        self._asked = dict[UUID, None]()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stop_listening = hints.listen("ended", self._hint)

    def close(self) -> None:
        """Listen no more."""
        self._stop_listening()

    async def wait(self, key: UUID) -> End:
        """How the instance ended, once it has. Raises DatabaseError if the database cannot be asked any more."""
        told: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(told)
        self._ask((key,))
        if self._task is None:
            self._task = asyncio.create_task(self._look_while_waited_for(), name="endings")
        try:
            return await told
        finally:
            self._leave(key, told)

    def _leave(self, key: UUID, told: asyncio.Future[End]) -> None:
        waiting = self._waiting.get(key, [])
        if told in waiting:
            waiting.remove(told)
            if not waiting:
                del self._waiting[key]

    def _hint(self, payload: str) -> None:
        self._ask(list(self._waiting) if payload == "*" else map(UUID, payload.split()))

    def _ask(self, keys: Iterable[UUID]) -> None:
        self._asked.update((key, None) for key in keys if key in self._waiting)
        if self._asked:
            self._wake.set()

    async def _look_while_waited_for(self) -> None:
        """One statement after the other, as long as anybody waits."""
        loop = asyncio.get_running_loop()
        poll_at = loop.time() + self._poll
        try:
            while self._waiting:
                try:
                    async with asyncio.timeout_at(poll_at):
                        await self._wake.wait()
                except TimeoutError:
                    self._ask(list(self._waiting))
                    poll_at = loop.time() + self._poll
                await self._look()
        finally:
            self._task = None

    async def _look(self) -> None:
        """At those that were asked for, as many as one statement takes."""
        asked = list(islice(self._asked, MOST))
        for key in asked:
            del self._asked[key]
        if not self._asked:
            self._wake.clear()
        keys = [key for key in asked if key in self._waiting]
        if keys:
            await self._look_at(keys)

    async def _look_at(self, keys: Sequence[UUID]) -> None:
        """An outage of the database is waited out: whoever waits has time."""
        try:
            ends = await self._store.ends(keys)
        except DatabaseUnreachable as error:
            log.warning("%s", error)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is for those who wait
            for key in keys:
                self._tell(key, error)
        else:
            for end in ends:
                self._tell(end.key, end)

    def _tell(self, key: UUID, what: End | Exception) -> None:
        for told in self._waiting.pop(key, ()):
            if told.done():
                continue
            if isinstance(what, End):
                told.set_result(what)
            else:
                told.set_exception(what)
