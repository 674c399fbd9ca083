"""Daemon threads for plain functions.

Not `concurrent.futures`: its pool is joined at the interpreter's exit, so one stuck body would keep the
process alive. A pool grows to as many threads as there are bodies at once (the node's slots bound that) and
keeps them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import Context
from queue import SimpleQueue
from typing import Any, Final


class Call:
    """One function on its way through a thread. All but `run` and `tell` belongs to the loop's thread.

    result  a future of the loop: what the function returned, or the exception it raised, as a value
    ended   the thread is free again, whether anyone still waits or not; `on_end` is called then
    """

    __slots__ = ("_body", "_context", "_loop", "ended", "name", "on_end", "result")

    def __init__(self, body: Callable[[], Any], *, name: str, context: Context) -> None:
        self._body, self._context, self.name = body, context, name
        self._loop = asyncio.get_running_loop()
        self.result: asyncio.Future[Any] = self._loop.create_future()
        self.ended = False
        self.on_end: Callable[[], None] | None = None

    def run(self) -> Any:
        """What the body returned or raised, here in a thread; None if it was abandoned before."""
        try:
            return None if self.result.cancelled() else self._context.run(self._body)
        except BaseException as exc:  # noqa: BLE001 - SystemExit of a body ends the body, not the node
            return exc
        finally:
            # An error's traceback holds this frame: with `self` it would hold itself for long.
            del self

    def tell(self, outcome: Any) -> None:
        """Hand the outcome to the loop's thread."""
        try:
            self._loop.call_soon_threadsafe(self._finish, outcome)
        except RuntimeError:
            return  # the loop has been closed: the node is gone, and nobody asks

    def _finish(self, outcome: Any) -> None:
        self.ended = True
        if not self.result.done():
            self.result.set_result(outcome)
        if self.on_end is not None:
            self.on_end()


class ThreadPool:
    """Runs calls, each in a thread of its own, reusing the idle ones."""

    def __init__(self, name: str) -> None:
        self._name: Final = name
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0

    def submit(self, call: Call) -> None:
        """Start the call now. Errors: RuntimeError if the system has no thread left."""
        if not self._idle.acquire(blocking=False):
            name = f"{self._name}-{self._started}"
            threading.Thread(target=_work, args=(self._calls, self._idle), name=name, daemon=True).start()
            self._started += 1
        self._calls.put(call)

    def close(self) -> None:
        """Idle threads end now, the others when their call ends."""
        for _ in range(self._started):
            self._calls.put(None)


def _work(calls: SimpleQueue[Call | None], idle: threading.Semaphore) -> None:
    thread = threading.current_thread()
    own_name = thread.name
    while (call := calls.get()) is not None:
        thread.name = call.name
        outcome = call.run()
        thread.name = own_name
        idle.release()  # before the end is told, or whoever hears of it would need another thread
        call.tell(outcome)
        del call, outcome  # or they would live until the next one
