"""CPython's own event loop in virtual time, as the judge of what a program must do.

Where an older Python acts in another order than newer ones, and workflows act as on the newest everywhere
(`orquestrax.replay.alike`), the judge does so, too; on Python 3.13 it is asyncio as it is, but for what a group
does with a task that is done at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

from tests.unit.replay.kit import Failure
from tests.unit.replay.programs import Program
from tests.unit.replay.running import Run, describe

from orquestrax.replay.alike import groups, locks, suppressing
from orquestrax.replay.alike.waiting import AsCompleted, Gathering


class Stuck(BaseException):
    """Nothing is ready and no timer is due: the program waits for ever."""


class _Skipping(selectors.SelectSelector):
    """Instead of waiting, it moves the loop's time to the next timer."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise Stuck
        if timeout > 0:
            self.loop.virtual = self.loop._scheduled[0]._when  # type: ignore[attr-defined]
        return []


class _Task(asyncio.tasks._PyTask):  # type: ignore[name-defined,misc]
    """A task that takes a cancellation back, as from Python 3.13 on."""

    def uncancel(self) -> int:
        left: int = super().uncancel()
        self._must_cancel = self._must_cancel and left > 0
        return left


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; its tasks are kept in the order of their making."""

    def __init__(self) -> None:
        self.virtual = 0.0
        self.timers = 0
        selector = _Skipping()
        selector.loop = self
        super().__init__(selector)
        self.made: list[asyncio.Task[Any]] = []
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        return self.virtual

    def call_at(self, when: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
        """Of timers for the same moment the first comes first, as in workflows; a heap leaves that to chance."""
        self.timers += 1
        return super().call_at(when + self.timers * 1e-13, *args, **options)

    def create_task(self, coro: Any, **options: Any) -> Any:
        place = len(self.made)
        if sys.version_info >= (3, 13):
            task = super().create_task(coro, **options)
        elif self.get_task_factory() is None:
            task = _Task(coro, loop=self, **options)
        else:
            task = _Task(coro, loop=self, eager_start=True, **options)
        self.made.insert(place, task)  # before those that it made when it began at once
        return task


async def _wait_for(awaitable: Any, timeout: float | None) -> Any:
    if timeout is not None and timeout <= 0:
        return await _ORIGINAL_WAIT_FOR(awaitable, timeout)
    async with asyncio.timeout(timeout):
        return await awaitable


def _as_completed(awaitables: Any, *, timeout: float | None = None) -> Any:
    return AsCompleted(asyncio.get_running_loop(), awaitables, timeout)  # type: ignore[arg-type]


def _gather(*awaitables: Any, return_exceptions: bool = False) -> Any:
    if not awaitables:
        return _ORIGINAL_GATHER(return_exceptions=return_exceptions)
    loop: Any = asyncio.get_running_loop()
    return Gathering(loop, awaitables, return_exceptions=return_exceptions).outer


_ORIGINAL_WAIT_FOR, _ORIGINAL_GATHER = asyncio.wait_for, asyncio.gather


@contextlib.contextmanager
def _as_on_the_newest() -> Iterator[None]:
    with contextlib.ExitStack() as changes:
        for version, owner, name, ours in (
            ((3, 12), asyncio, "wait_for", _wait_for),
            ((3, 12), asyncio, "gather", _gather),
            ((3, 12), contextlib.suppress, "__exit__", suppressing.leave),
            ((3, 13), asyncio, "as_completed", _as_completed),
            ((3, 13), asyncio.Semaphore, "acquire", locks.acquire),
            ((3, 13), asyncio.Condition, "wait", locks.wait),
            ((3, 13), asyncio.TaskGroup, "__aexit__", groups.leave),
            ((3, 14), asyncio.TaskGroup, "create_task", groups.create_task),
        ):
            if sys.version_info < version:
                changes.enter_context(mock.patch.object(owner, name, ours))
        yield


def judge(program: Program) -> tuple[Any, list[Any]]:
    """Outcome and trace of a program, as `asyncio.run` would have it."""
    loop = VirtualLoop()
    try:
        with _as_on_the_newest():
            return _judge(loop, program)
    finally:
        loop.close()
        for task in loop.made:
            task._log_traceback = False


def _judge(loop: VirtualLoop, program: Program) -> tuple[Any, list[Any]]:
    mailboxes: dict[str, asyncio.Queue[Any]] = {"x": asyncio.Queue(), "y": asyncio.Queue()}

    async def step(number: int, seconds: float) -> Any:
        future = loop.create_future()
        loop.call_later(seconds, _settle, future, number)
        return await future

    async def fail(number: int, seconds: float) -> Any:
        future = loop.create_future()
        loop.call_later(seconds, _settle, future, Failure(str(number)))
        return await future

    async def receive(name: str) -> Any:
        return await mailboxes[name].get()

    run = Run(program, step=step, fail=fail, receive=receive)
    main = loop.create_task(run.main())
    for n, (at, name) in enumerate(program.signals):
        loop.call_at(at / 1e6, mailboxes[name].put_nowait, n)
    if program.cancel is not None:
        loop.call_at(program.cancel / 1e6, main.cancel)
    try:
        with contextlib.suppress(Exception, asyncio.CancelledError):
            loop.run_until_complete(main)
        _wind_down(loop)
    except Stuck:
        stuck_at = list(run.trace)
        run.over = True
        with contextlib.suppress(Stuck):
            _wind_down(loop)
        return "stuck", stuck_at
    return _outcome(main), run.trace


def _settle(future: asyncio.Future[Any], outcome: Any) -> None:
    if future.done():
        return
    if isinstance(outcome, Failure):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _wind_down(loop: VirtualLoop) -> None:
    """As asyncio.run cancels what is left, but in the order of making and until nothing is left."""
    while left := [task for task in loop.made if not task.done()]:
        for task in left:
            task.cancel()
        loop.run_until_complete(_ORIGINAL_GATHER(*left, return_exceptions=True))


def _outcome(main: asyncio.Task[Any]) -> Any:
    if main.cancelled():
        return "cancelled"
    error = main.exception()
    return ["failed", describe(error)] if error else ["completed", main.result()]
