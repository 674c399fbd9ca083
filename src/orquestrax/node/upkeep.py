"""What has to be done now and then, by whichever node leads: sweeps that several may do without harm."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from orquestrax.core.claimer import TROUBLE

log = logging.getLogger(__name__)


class Upkeep:
    """Belongs to one incarnation. As long as it `leads`, each sweep is made every so many seconds, and when woken."""

    def __init__(
        self,
        sweeps: Sequence[Callable[[], Awaitable[None]]],
        *,
        every: float,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._sweeps, self._every, self._leads = tuple(sweeps), every, leads
        self._task: asyncio.Task[None] | None = None
        self._pause: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Begin, beside everything else."""
        self._task = asyncio.create_task(self._run(), name="upkeep")

    async def stop(self) -> None:
        """End, and wait for it: the database is about to be let go."""
        self.abandon()
        if self._task is not None:
            await asyncio.wait((self._task,))

    def abandon(self) -> None:
        """End at once."""
        if self._task is not None:
            self._task.cancel()

    def wake(self) -> None:
        """Do not wait any longer: a new leader begins at once, as nobody knows when the one before has swept."""
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)

    async def _run(self) -> None:
        while True:
            for sweep in self._sweeps:
                if (
                    not self._leads()
                ):  # asked each time: the one before may have taken longer than the lead lasts
                    break
                try:
                    await sweep()
                except TROUBLE as error:
                    log.debug("a sweep has to wait: %s", error)
            await self._paused()

    async def _paused(self) -> None:
        loop = asyncio.get_running_loop()
        self._pause = loop.create_future()
        handle = loop.call_later(self._every, self.wake)
        try:
            await self._pause
        finally:
            handle.cancel()
