"""Tells instances what came of their steps: what gathers during one transaction is the next batch."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg

from orquestrax.base.errors import Fenced, OrquestraxError
from orquestrax.core.store.database import CONNECTION_LOST
from orquestrax.core.store.taskverbs import TaskStore
from orquestrax.model.jobs import BodyKey
from orquestrax.model.tasks import TaskMessage
from orquestrax.worker.queues import outcomes

log = logging.getLogger(__name__)
BATCH: Final = 500
AGAIN: Final = 0.25  # seconds between attempts to reach the database


class Completer:
    """One loop over a store of its own.

    on_told(key, owner, message)  the instance has it: the fence of the node to hint, None if nobody holds it
    on_refused(message)           the task is not this node's any more, or its workflow has gone on without it
    """

    def __init__(
        self,
        store: TaskStore,
        *,
        on_told: Callable[[TaskMessage, int | None], None],
        on_refused: Callable[[TaskMessage], None],
        on_fenced: Callable[[], None],
    ) -> None:
        self._store = store
        self._on_told, self._on_refused, self._on_fenced = on_told, on_refused, on_fenced
        self._queue: deque[TaskMessage] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell."""
        self._task = asyncio.create_task(self._run(), name="task completer")

    def add(self, message: TaskMessage) -> None:
        """To be told with the next batch."""
        self._queue.append(message)
        self._wake.set()

    async def stop(self, patience: float) -> None:
        """Tell what is left; what cannot be told within `patience` seconds runs again elsewhere."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            done, _ = await asyncio.wait({self._task}, timeout=patience)
            if not done:
                log.warning("%d results of steps are left untold", len(self._queue))
                self.abandon()
        self._store.close()

    def abandon(self) -> None:
        """Cut everything at once."""
        self._stopping = True
        self._queue.clear()
        self._store.close()
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            if not self._queue:
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            try:
                await self._settle(batch)
            except Fenced:
                self._on_fenced()
                return

    async def _settle(self, batch: Sequence[TaskMessage]) -> None:
        """Until it is told; after an unknown outcome once more, which is heard once."""
        while True:
            try:
                heard = await self._store.tell(batch)
            except Fenced:
                raise
            except (*CONNECTION_LOST, OrquestraxError, TimeoutError) as error:
                log.warning("results of steps cannot be told yet: %s", error)
                await asyncio.sleep(AGAIN)
            except (asyncpg.PostgresError, asyncpg.DataError) as error:
                await self._halve(batch, error)
                return
            else:
                self._told(batch, heard)
                return

    async def _halve(self, batch: Sequence[TaskMessage], error: Exception) -> None:
        """Isolate what the database does not take: that step has failed."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._settle(batch[:middle])
            await self._settle(batch[middle:])
        elif isinstance(error, asyncpg.DataError):
            log.error("the database refuses the result of step %s: %s", batch[0].step, error)
            await self._settle([outcomes.refused(batch[0], error)])
        else:  # a lock that was not to be had, a deadlock: nothing that the message could help
            log.warning("results of steps cannot be told yet: %s", error)
            await asyncio.sleep(AGAIN)
            await self._settle(batch)

    def _told(self, batch: Sequence[TaskMessage], heard: dict[BodyKey, int | None]) -> None:
        for message in batch:
            key = BodyKey(message.instance, message.command)
            if key in heard:
                self._on_told(message, heard[key])
            else:
                self._on_refused(message)
