"""An event loop in a thread of its own, for those who block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from orquestrax.base.errors import BlockingCall, DatabaseError

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for as long as the block does; at its end, what still runs there is cancelled."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="orquestrax-client", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if not self._thread.is_alive():  # in a forked child: nothing runs here that could be ended
            return
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns or raises. Ctrl-C here cancels it there.

        Raises BlockingCall where an event loop runs, DatabaseError when the block is over.
        """
        try:
            self._check()
        except BaseException:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _check(self) -> None:
        if asyncio._get_running_loop() is not None:  # noqa: SLF001 - the public one raises where there is none
            raise BlockingCall(
                "a blocking client would stop this thread's event loop: use `async with ox.connect()` instead"
            )
        if not self._thread.is_alive():
            raise DatabaseError(
                "this client is closed, or was opened before a fork: open one here with ox.connect_sync()"
            )


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
