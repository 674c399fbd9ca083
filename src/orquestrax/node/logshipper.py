"""Brings what workflows and steps of this node log to the database, in batches, while there is something to bring.

Best effort: a batch that cannot be written is tried again while its records are young; what a crash leaves unwritten
is lost. Where nobody logs there is no task and no connection.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Final
from uuid import UUID

import asyncpg

from orquestrax.base.clock import DatabaseClock
from orquestrax.base.errors import OrquestraxError
from orquestrax.base.logs import Origin, listen
from orquestrax.core.store.database import CONNECTION_LOST
from orquestrax.core.store.logs import LogLine, LogWriter
from orquestrax.node.logcapture import Captured, LogCapture

log = logging.getLogger(__name__)
GATHER: Final = 0.2  # seconds from the first record to its batch
BATCH: Final = 1_000
PATIENCE: Final = 10.0  # seconds that records wait for their instance to be committed
IDLE: Final = 30.0  # seconds without a record, then the connection is let go
AGAIN: Final = 1.0  # seconds until a batch is tried again
TRIES: Final = 30  # of one batch
LAST: Final = 2.0  # seconds for the last batch of a node that stops
TROUBLE: Final = (OrquestraxError, *CONNECTION_LOST, asyncpg.PostgresError, asyncpg.InterfaceError)


class LogShipper:
    """Belongs to one incarnation. `owner` is that of `LogCapture`; `on_written` hears of instances with new records."""

    def __init__(
        self,
        writer: LogWriter,
        clock: DatabaseClock,
        *,
        owner: Callable[[Origin], UUID | None],
        on_written: Callable[[UUID], None],
    ) -> None:
        self._writer, self._clock, self._on_written = writer, clock, on_written
        self._loop = asyncio.get_running_loop()
        # Not that of whoever logs first: the shipper would be taken for its code, and hold on to it.
        self._context = copy_context()
        self.capture = LogCapture(owner, self._call)
        self._wake, self._stopping = asyncio.Event(), asyncio.Event()
        self._batch: list[Captured] = []  # what is being written, until it is
        self._early: list[Captured] = []  # of instances whose start has not been committed yet
        self._tries = 0
        self._unlisten: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to hear what is logged, beside the user's own handlers."""
        self._unlisten = listen(self.capture.hear)

    async def stop(self) -> None:
        """Hear no more, and write what waits if that can be done in a moment."""
        self._hush()
        self._stopping.set()
        self._wake.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=LAST)
        self.abandon()

    def abandon(self) -> None:
        """Drop everything at once."""
        self._hush()
        self._stopping.set()
        if self._task is not None:
            self._task.cancel()
        self._writer.close()

    def _hush(self) -> None:
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None

    def _call(self) -> None:
        with suppress(RuntimeError):  # the loop has been closed: the node is gone
            self._loop.call_soon_threadsafe(self._woken, context=self._context)

    def _woken(self) -> None:
        self._wake.set()
        if self._task is None and not self._stopping.is_set():
            self._task = asyncio.create_task(self._run(), name="log shipper")

    async def _run(self) -> None:
        """Ship until nothing has come for a while."""
        try:
            while await self._has_work():
                self._wake.clear()
                await self._pause(GATHER)
                await self._ship_all()
                if self._stopping.is_set():
                    return
        finally:
            self._task = None
            self._writer.close()

    async def _has_work(self) -> bool:
        if self._batch or self._early:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE):
                await self._wake.wait()
        return self._wake.is_set()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not for a node that stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _ship_all(self) -> None:
        try:
            while await self._ship():
                continue
        except TROUBLE as error:
            self._tries += 1
            if self._tries == 1:
                log.warning("log records wait to be written: %s", error)
            elif self._tries == TRIES:
                log.warning("log records are lost, %d of them: %s", len(self._batch), error)
                self._batch, self._tries = [], 0
            await self._pause(AGAIN)

    async def _ship(self) -> bool:
        """Write one batch, the one that failed before any other; whether there is more."""
        now = time.monotonic()
        if not self._batch:
            taken, dropped = self.capture.take(BATCH)
            self._batch = [one for one in self._early if now - one.at < PATIENCE] + taken
            self._batch += [_tell_of_dropped(key, count, now) for key, count in dropped.items()]
            self._early = []
        if not self._batch:
            return False
        base = self._clock.now()
        there = await self._writer.write([_line(one, base, now) for one in self._batch])
        self._early = [one for one in self._batch if one.instance not in there]
        self._batch, self._tries = [], 0
        self.capture.refuse({key for key, full in there.items() if full})
        for instance in there:
            self._on_written(instance)
        return len(self._early) == 0


def _line(one: Captured, base: int, now: float) -> LogLine:
    size = len(one.message.encode()) + len((one.trace or "").encode()) + len(one.logger) + len(one.step)
    return LogLine(
        instance=one.instance,
        at=base - int((now - one.at) * 1_000_000),
        level=one.level,
        attempt=one.attempt,
        logger=one.logger,
        step=one.step,
        message=one.message,
        trace=one.trace,
        size=size,
    )


def _tell_of_dropped(key: UUID, count: int, now: float) -> Captured:
    words = f"{count:,} records dropped: they came faster than they could be written"
    return Captured(key, now, logging.WARNING, 0, "orquestrax", "", words, None)
