"""CPython's own event loop in virtual time, as the judge of what a program must do."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from typing import Any

from tests.unit.replay.kit import Failure
from tests.unit.replay.programs import Node, Program, Run, describe


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


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; its tasks are kept in the order of their making."""

    def __init__(self) -> None:
        self.virtual = 0.0
        selector = _Skipping()
        selector.loop = self
        super().__init__(selector)
        self.made: list[asyncio.Task[Any]] = []
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        return self.virtual

    def create_task(self, coro: Any, **options: Any) -> Any:
        task = super().create_task(coro, **options)
        self.made.append(task)
        return task


async def _wait_for(awaitable: Any, timeout: float | None) -> Any:
    """As it is from Python 3.12 on, and in workflows everywhere."""
    async with asyncio.timeout(timeout):
        return await awaitable


def judge(program: Program) -> tuple[Any, list[Any]]:
    """Outcome and trace of a program, as `asyncio.run` would have it."""
    loop = VirtualLoop()
    original, asyncio.wait_for = asyncio.wait_for, _wait_for  # type: ignore[assignment]
    try:
        return _judge(loop, program)
    finally:
        asyncio.wait_for = original
        loop.close()
        for task in loop.made:
            task._log_traceback = False


def _judge(loop: VirtualLoop, program: Program) -> tuple[Any, list[Any]]:
    mailboxes: dict[str, asyncio.Queue[Any]] = {"x": asyncio.Queue(), "y": asyncio.Queue()}

    async def step(node: Node) -> Any:
        future = loop.create_future()
        loop.call_later(node.seconds, _settle, future, node)
        return await future

    async def receive(name: str) -> Any:
        return await mailboxes[name].get()

    run = Run(step, receive)
    main = loop.create_task(run.run(program.root))
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
        _wind_down(loop)
        return "stuck", stuck_at
    return _outcome(main), run.trace


def _settle(future: asyncio.Future[Any], node: Node) -> None:
    if not future.done():
        if node.kind == "fail":
            future.set_exception(Failure(str(node.number)))
        else:
            future.set_result(node.number)


def _wind_down(loop: VirtualLoop) -> None:
    """As asyncio.run cancels what is left, but in the order of making and until nothing is left."""
    while left := [task for task in loop.made if not task.done()]:
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


def _outcome(main: asyncio.Task[Any]) -> Any:
    if main.cancelled():
        return "cancelled"
    error = main.exception()
    return ["failed", describe(error)] if error else ["completed", main.result()]
