"""Brings what bodies say of themselves to the node's store: in batches, off every other way.

Whatever is said between two batches is one row per step, the latest. A failing database delays it, nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import copy_context
from typing import Any, Final
from uuid import UUID

from orquestrax.model.jobs import BodyKey, Said
from orquestrax.worker.attempt import Attempt

_log = logging.getLogger(__name__)
EVERY: Final = 0.5  # seconds between two batches
MOST: Final = 10_000  # steps whose last heartbeat is kept for their next attempt

Write = Callable[[Sequence[Said]], Awaitable[None]]
Delete = Callable[[Sequence[BodyKey]], Awaitable[None]]


async def nowhere(_batch: Sequence[Any]) -> None:
    """For a runner without a store."""


class Reports:
    """Belongs to one runner, on its loop.

    write   keeps what steps said
    delete  forgets steps that have ended
    known   by step the encoded details of its last heartbeat (None: there were none), of those that said anything
    """

    def __init__(self, write: Write, delete: Delete, *, every: float = EVERY) -> None:
        self._write, self._delete, self._every = write, delete, every
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        self.known: Final[OrderedDict[BodyKey, bytes | None]] = OrderedDict()
        self._speaking: dict[BodyKey, Attempt] = {}
        self._over: set[BodyKey] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._flushed_at = self._loop.time() - every

    def call(self, attempt: Attempt) -> None:
        """From any thread: this attempt has said something."""
        try:
            self._loop.call_soon_threadsafe(self._heard, attempt, context=self._context)
        except RuntimeError:
            return  # the loop is closed, and nobody asks

    def remember(self, instance: UUID, heartbeats: Mapping[int, str | None]) -> None:
        """What steps said when another node, or an earlier incarnation, ran them."""
        for command, details in heartbeats.items():
            self._know(BodyKey(instance, command), None if details is None else details.encode())

    def ended(self, attempt: Attempt) -> None:
        """The attempt has ended; whether its step is over is told next, or another attempt follows."""
        pulse = attempt.pulse
        if pulse is not None and pulse.spoken:
            self._know(attempt.job.key, pulse.details or self.known.get(attempt.job.key))

    def over(self, key: BodyKey) -> None:
        """The step has ended for good; to be called for those that are `known`."""
        del self.known[key]
        self._speaking.pop(key, None)
        self._over.add(key)
        self._arm()

    async def close(self) -> None:
        """Write what is left, once: a successor may need it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._flushing is not None:
            await self._flushing
        await self._flush()

    def abandon(self) -> None:
        """Drop everything."""
        if self._timer is not None:
            self._timer.cancel()
        self._speaking.clear()
        self._over.clear()

    def _heard(self, attempt: Attempt) -> None:
        assert attempt.pulse is not None
        if attempt.waited_for:
            self._know(attempt.job.key, attempt.pulse.details or attempt.pulse.before)
            self._speaking[attempt.job.key] = attempt
            self._arm()

    def _know(self, key: BodyKey, details: bytes | None) -> None:
        self.known[key] = details
        self.known.move_to_end(key)
        if len(self.known) > MOST:  # its row stays, and comes back with its history
            self.known.popitem(last=False)

    def _arm(self) -> None:
        if self._timer is None and self._flushing is None:
            at = self._flushed_at + self._every
            self._timer = self._loop.call_at(at, self._begin, context=self._context)

    def _begin(self) -> None:
        self._timer = None
        self._flushed_at = self._loop.time()
        self._flushing = self._loop.create_task(self._flush(), name="progress of steps")
        self._flushing.add_done_callback(self._done)

    def _done(self, _task: asyncio.Task[None]) -> None:
        self._flushing = None
        if self._speaking or self._over:
            self._arm()

    async def _flush(self) -> None:
        """One batch. What cannot be written now is said again with the next one, or is not worth more."""
        speaking, over = list(self._speaking.values()), list(self._over)
        self._speaking.clear()
        self._over.clear()
        try:
            if speaking:
                await self._write(
                    sorted(map(_said, speaking), key=lambda said: (said.instance, said.command))
                )
            if over:
                await self._delete(over)
        except Exception as error:  # noqa: BLE001 - a faulty database is told of by those who need it
            _log.debug("progress of steps is not written: %s", error)


def _said(attempt: Attempt) -> Said:
    job, pulse = attempt.job, attempt.pulse
    assert pulse is not None
    pulse.pending = False  # first: what is said from now on is for the next batch
    details = pulse.details
    return Said(
        instance=job.key.instance,
        command=job.key.command,
        attempt=job.attempt,
        done=pulse.done,
        total=pulse.total,
        note=pulse.note,
        details=None if details is None else details.decode(),
    )
