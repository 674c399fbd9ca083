"""Running the main coroutine of a process, and ending it cleanly at SIGINT and SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Final, TypeVar

import uvloop

T = TypeVar("T")
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
AGAIN: Final = 0.5  # seconds: what comes sooner is the same order, delivered by a terminal and by a wrapper


class Interrupted(Exception):
    """The process was told to end; what was running has been cleaned up."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_code = 128 + number  # what shells expect of a process that ended so


def run_until_signal(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on a new event loop and return its result.

    A signal cancels it, so that its `finally` blocks run, and Interrupted is raised; a second one does not wait
    for them and ends the process, which loses nothing that was acknowledged. In another thread than the main
    one, signals are left alone.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if threading.current_thread() is not threading.main_thread():
            return runner.run(main())
        order = _Order(runner.get_loop())
        before = {number: signal.signal(number, order) for number in SIGNALS}
        try:
            result = runner.run(order.obeyed_by(main))
        except asyncio.CancelledError:
            if order.number is not None:  # the process is about to end: what comes now is not to disturb that
                raise Interrupted(order.number) from None
            raise
        finally:
            if order.number is None:
                for number, handler in before.items():
                    signal.signal(number, handler)
        return result


class _Order:
    """The handler of the signals, and the task that obeys it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._task: asyncio.Task[Any] | None = None
        self._since = 0.0
        self.number: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self._since = number, time.monotonic()
            self._loop.call_soon_threadsafe(self._cancel)
        elif time.monotonic() - self._since > AGAIN:
            os._exit(128 + number)

    async def obeyed_by(self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        self._task = asyncio.current_task()
        if self.number is not None:
            raise asyncio.CancelledError
        return await main()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
