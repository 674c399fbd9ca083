"""Starts that are stored as pending: what comes while others are being stored shares the next statement.

One statement is one commit, and waits for the disk: a program that starts hundreds at once would else pay that for
each. Alone, a start is stored at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from orquestrax.base.errors import OrquestraxError
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.model.rows import NewInstance

MOST: Final = 200  # in one statement
MOST_BYTES: Final = 4_000_000  # of input in one statement, but always one start


class _Start(NamedTuple):
    new: NewInstance
    told: asyncio.Future[bool]


class Starts:
    """One per client, with one statement under way at a time."""

    def __init__(self, store: ClientStore) -> None:
        self._store = store
        self._waiting = deque[_Start]()
        self._task: asyncio.Task[None] | None = None

    async def store(self, new: NewInstance) -> bool:
        """Store it; False if its id exists already. Raises DatabaseError, as `ClientStore.start`."""
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Start(new, told))
        if self._task is None:
            self._task = asyncio.create_task(self._store_waiting(), name="starts")
        return await told

    async def _store_waiting(self) -> None:
        try:
            while self._waiting:
                await self._settle(self._batch())
        finally:
            self._task = None

    def _batch(self) -> list[_Start]:
        """The next ones, in order."""
        batch, size = list[_Start](), 0
        while self._waiting and len(batch) < MOST:
            size += len(self._waiting[0].new.input)
            if batch and size > MOST_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _settle(self, batch: Sequence[_Start]) -> None:
        """Store them together; what the database refuses then stands alone, and the others do not suffer."""
        try:
            stored = await self._store.start_all([start.new for start in batch])
        except Exception as error:  # noqa: BLE001 - whatever it was, it is for those who wait
            if len(batch) > 1 and not isinstance(error, OrquestraxError):
                for start in batch:
                    await self._settle([start])
                return
            for start in batch:
                if not start.told.done():
                    start.told.set_exception(error)
        else:
            for start in batch:
                if not start.told.done():
                    start.told.set_result(start.new.key in stored)
