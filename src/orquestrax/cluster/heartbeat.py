"""The heartbeat: one row's counter, raised every two seconds from a thread and a connection of its own.

It shares nothing with user code: neither the event loop nor the pool, so a busy node still beats. A hung one must
not, or nobody would take over: whoever watches the loop says through `may_beat` whether it turns. What a beat brings
back is the database's time, which the node's clock takes, and the news that this incarnation was declared dead.

Each beat that arrives renews the node's lease. Where the lease runs out without one, the incarnation is over as well:
others may have taken over what it held, and it would be the last to know. Between beats the same thread looks at the
other nodes, if it is given an observer.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import asyncpg

from orquestrax.base.errors import OrquestraxError
from orquestrax.cluster.lease import Lease
from orquestrax.cluster.observer import Observer
from orquestrax.core.store.database import CONNECTION_LOST, Address, connect, within
from orquestrax.core.store.statements import statement

log = logging.getLogger(__name__)
AGAIN: Final = 0.5  # seconds at most between attempts to reach the database again
TROUBLE: Final = (OrquestraxError, *CONNECTION_LOST, asyncpg.PostgresError, TimeoutError)


class Heartbeat:
    """Beats until stopped. `on_beat(database_time)`, `on_fenced()` and `on_expired()` are called on the node's loop.

    `may_beat()` is asked before each beat, and `load()`, which goes with it, on the heartbeat's thread. `on_fenced`
    says that the node was declared dead, `on_expired` that its lease ran out: either is the end of this heartbeat.
    `on_drain(grace)` says that somebody wants it to end.
    """

    def __init__(
        self,
        address: Address,
        fence: int,
        *,
        lease: Lease | None = None,
        observer: Observer | None = None,
        every: float = 2.0,
        on_beat: Callable[[int], None],
        on_drain: Callable[[float | None], None] = lambda _grace: None,
        on_fenced: Callable[[], None],
        on_expired: Callable[[], None] = lambda: None,
        may_beat: Callable[[], bool] = lambda: True,
        load: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._lease = lease or Lease(10.0, margin=2.0)
        # An attempt that hangs leaves time for another one before the lease ends.
        self._address = replace(address, deadline=min(address.deadline, self._lease.seconds / 3))
        self._fence, self._every, self._observer = fence, every, observer
        self._on_beat, self._on_fenced, self._may_beat = on_beat, on_fenced, may_beat
        self._on_expired, self._on_drain, self._load = on_expired, on_drain, load
        self._host = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: asyncpg.Connection | None = None
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

    def tell(self, callback: Callable[..., None], *arguments: object) -> None:
        """From this thread to the node's loop, as long as that is there and wants to hear."""
        if not self._stopping.is_set() and not self._host.is_closed():
            self._host.call_soon_threadsafe(callback, *arguments)

    def _main(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        now = self._lease.clock
        beat_at = look_at = 0.0
        while not self._stopping.is_set():
            try:
                if now() >= beat_at:
                    beat_at = now() + self._every
                    if self._may_beat() and not await self._beat():
                        self.tell(self._on_fenced)
                        break
                if self._observer is not None and now() >= look_at:
                    look_at = now() + await self._look(self._observer)
            except TROUBLE as error:
                log.warning("node %d cannot renew its heartbeat: %s", self._fence, error)
                beat_at = look_at = now() + min(self._every, AGAIN)
            if self._lease.remaining <= 0:
                self.tell(self._on_expired)
                break
            await self._pause((beat_at if self._observer is None else min(beat_at, look_at)) - now())
        if self._observer is not None:
            await self._observer.close()
        if self._connection is not None:
            self._connection.terminate()

    async def _pause(self, seconds: float) -> None:
        assert self._stop is not None
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stop.wait()
        except TimeoutError:
            return

    async def _beat(self) -> bool:
        """Raise the counter; False if the node was declared dead."""
        connection = await self._connected()
        text = statement(self._address.schema, "heartbeat")
        sent = self._lease.clock()
        beating = connection.fetch(text, self._fence, self._load())
        rows = await within(connection, beating, self._address.deadline)
        if rows:
            self._lease.renew(sent)
            self.tell(self._on_beat, rows[0]["now"])
            if rows[0]["draining"]:
                self.tell(self._on_drain, rows[0]["grace"])
        return bool(rows)

    async def _look(self, observer: Observer) -> float:
        if not self._may_beat():
            return self._every
        return await observer.look(await self._connected(), self._address.deadline)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._address, name="orquestrax heartbeat")
        return self._connection
