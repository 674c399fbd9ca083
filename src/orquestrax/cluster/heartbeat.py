"""The heartbeat: one row's counter, raised every two seconds from a thread and a connection of its own.

It shares nothing with user code: neither the event loop nor the pool, so a busy node still beats. A hung one must
not, or nobody would take over: whoever watches the loop says through `may_beat` whether it turns. What a beat brings
back is the database's time, which the node's clock takes, and the news that this incarnation was declared dead.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

import asyncpg

from orquestrax.base.errors import OrquestraxError
from orquestrax.core.store.database import CONNECTION_LOST, Address, connect, within
from orquestrax.core.store.statements import statement

log = logging.getLogger(__name__)


class Heartbeat:
    """Beats until stopped. `on_beat(database_time)` and `on_fenced()` are called on the node's own loop.

    `may_beat()` is asked before each beat, and `load()`, which goes with it, on the heartbeat's thread.
    """

    def __init__(
        self,
        address: Address,
        fence: int,
        *,
        every: float = 2.0,
        on_beat: Callable[[int], None],
        on_fenced: Callable[[], None],
        may_beat: Callable[[], bool] = lambda: True,
        load: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._address, self._fence, self._every = address, fence, every
        self._on_beat, self._on_fenced, self._may_beat, self._load = on_beat, on_fenced, may_beat, load
        self._host = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._main, name=f"heartbeat {fence}", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def abandon(self) -> None:
        """Stop beating, at once and without waiting for the thread."""
        self._stopping.set()
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    async def stop(self) -> None:
        """Stop beating and wait until the thread has ended."""
        self.abandon()
        await asyncio.to_thread(self._thread.join, 5.0)

    def _main(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._beat_forever())

    async def _beat_forever(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        connection: asyncpg.Connection | None = None
        while not self._stopping.is_set():
            try:
                if connection is None or connection.is_closed():
                    connection = await connect(self._address, name="orquestrax heartbeat")
                if self._may_beat() and not await self._beat(connection):
                    break
            except (OrquestraxError, *CONNECTION_LOST, asyncpg.PostgresError, TimeoutError) as error:
                log.warning("node %d cannot renew its heartbeat: %s", self._fence, error)
            try:
                async with asyncio.timeout(self._every):
                    await self._stop.wait()
            except TimeoutError:
                continue
        if connection is not None:
            connection.terminate()

    async def _beat(self, connection: asyncpg.Connection) -> bool:
        text = statement(self._address.schema, "heartbeat")
        rows = await within(
            connection, connection.fetch(text, self._fence, self._load()), self._address.deadline
        )
        if not rows:
            self._tell(self._on_fenced)
            return False
        self._tell(self._on_beat, rows[0]["now"])
        return True

    def _tell(self, callback: Callable[..., None], *arguments: int) -> None:
        if not self._stopping.is_set() and not self._host.is_closed():
            self._host.call_soon_threadsafe(callback, *arguments)
