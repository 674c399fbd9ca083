"""What the loop makes: handles, futures and tasks.

Futures and tasks hash by a number of their own loop, not by address. So sets of them, which `asyncio.wait`
returns and `TaskGroup` keeps, iterate in the same order in every process.
"""

from __future__ import annotations

import asyncio
import sys
from contextvars import Context
from typing import Any, Final

IN_A_SET: Final = sys.version_info < (3, 14)  # asyncio keeps all tasks of the process in one


class Handle(asyncio.Handle):
    """A callback in the ready queue, filled in by the loop: without what its base keeps for debug mode."""

    __slots__ = ()
    _callback: Any  # its base has these
    _args: tuple[Any, ...]
    _loop: Any
    _context: Context
    _source_traceback = None
    _repr = None


class TimerHandle(asyncio.TimerHandle):
    """A callback for later. `number` is the timer's command; 0 if it needed none, as its time had come."""

    __slots__ = ("number",)

    def __init__(
        self,
        when: float,
        callback: Any,
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self.number = 0

    def cancel(self) -> None:
        """Forget the callback; an open timer is abandoned."""
        if not self._cancelled:
            loop = self._loop  # type: ignore[attr-defined]
            asyncio.Handle.cancel(self)
            if self.number:
                loop.machine.abandon(self.number)


class Future(asyncio.Future[Any]):
    """A future of the loop."""

    __slots__ = ("number",)
    number: int

    def __hash__(self) -> int:
        return self.number

    def set_exception(self, exception: type | BaseException, /) -> None:
        """Fail. While replaying nobody is told that nobody looked: that was said when it happened."""
        super().set_exception(exception)
        loop: Any = self.get_loop()
        if loop.silent:
            self._log_traceback = False


class CommandFuture(Future):
    """What the code awaits for a step or a signal; cancelling it abandons the command."""

    __slots__ = ("command",)
    command: int

    def cancel(self, msg: Any | None = None) -> bool:
        """Stop waiting."""
        if not super().cancel(msg):
            return False
        loop: Any = self.get_loop()
        loop.machine.abandon(self.command)
        return True


class Task(asyncio.Task[Any]):
    """A task of the loop."""

    __slots__ = ("context", "number")
    number: int
    context: Context
    _must_cancel: bool  # its base has it

    def __hash__(self) -> int:
        return self.number

    if sys.version_info < (3, 13):

        def uncancel(self) -> int:
            """Take a cancellation back; if none is left, none is delivered, as from Python 3.13 on."""
            left = super().uncancel()
            if left == 0 and self._must_cancel:
                _forget_cancellation(self)
            return left


def _forget_cancellation(task: Task) -> None:
    """Only its making clears a task's mark for the next step, so it is made again in place; its first step is not."""
    callbacks = task._callbacks or []  # noqa: SLF001
    loop: Any = task.get_loop()
    coroutine: Any = task.get_coro()
    asyncio.Task.__init__(task, coroutine, loop=loop, name=task.get_name(), context=task.context)
    loop.ready.pop()
    asyncio._unregister_task(task)  # noqa: SLF001
    for callback, context in callbacks:
        task.add_done_callback(callback, context=context)
