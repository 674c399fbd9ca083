"""Plain `def` code in a workflow: it runs in a greenlet, and a coroutine awaits for it.

To the loop such code is the coroutine `drive`. That switches into the greenlet, is handed what the code wants to
await, awaits it as an `async def` would in that place, and switches back with the outcome. So tasks, commands and
events are those of the `async def` that the code could have been, one for one.

Evicted, the code gets a GreenletExit where it waits, as an `async def` gets its GeneratorExit; see `eviction`.
"""

from __future__ import annotations

import functools
from asyncio import current_task
from collections.abc import Awaitable, Callable
from importlib import import_module
from types import CodeType, FrameType
from typing import Any, Final, Protocol


class Runs(Protocol):
    """The loop, as far as it matters here: `plain` is the plain code that runs now."""

    plain: Plain | None

    def is_closed(self) -> bool: ...


@functools.cache
def _library() -> Any:
    """Loaded when the first plain code runs: most programs have none."""
    return import_module("greenlet")


class Plain:
    """One call of a plain function. `awaits` is what it waits for; all methods but `wait` are for `drive`."""

    __slots__ = ("_error", "_greenlet", "_loop", "_outcome", "_task", "awaits")

    def __init__(self, loop: Runs, function: Callable[[], Any]) -> None:
        self._loop = loop
        self._greenlet = _library().greenlet(function)
        self._task: Any = None
        self.awaits: Any = None
        self._outcome: Any = None
        self._error: BaseException | None = None

    @property
    def ended(self) -> bool:
        """Whether the function has returned or raised."""
        return bool(self._greenlet.dead)

    def begin(self) -> None:
        """Run up to the first `wait`, in the context of the task."""
        self._greenlet.gr_context = _library().getcurrent().gr_context
        self.run()

    def run(self) -> None:
        """Run on to the next `wait`, or to the end; raises what the function raises."""
        loop, outer = self._loop, self._loop.plain
        loop.plain, self._task = self, current_task()
        self._greenlet.parent = _library().getcurrent()
        try:
            outcome = self._greenlet.switch()
        finally:
            loop.plain = outer
        if self.ended:
            self._outcome = outcome

    def answer(self, value: Any) -> None:
        """It is there."""
        self._outcome = value

    def refuse(self, error: BaseException) -> None:
        """It failed. What closes the coroutine closes the greenlet in its own way."""
        if isinstance(error, GeneratorExit) and self._loop.is_closed():
            error = _library().GreenletExit()
        self._error = error

    def outcome(self) -> Any:
        """What was answered, or what the function returned; kept no longer than needed."""
        outcome, self._outcome = self._outcome, None
        return outcome

    # -- from within --

    def is_here(self) -> bool:
        """Whether its own code is asking: not a task that it has begun eagerly, nor a greenlet of the user's."""
        return current_task() is self._task and _library().getcurrent() is self._greenlet

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """Switch out until it is there, and return or raise what comes of it."""
        self.awaits = awaitable
        self._greenlet.parent.switch()
        if self._error is None:
            return self.outcome()
        try:
            raise self._error
        finally:
            self._error = None

    # -- from outside --

    def innermost(self) -> FrameType | None:
        """The frame in which it waits; None if it does not."""
        frame: FrameType | None = self._greenlet.gr_frame
        return frame


async def drive(plain: Plain) -> Any:
    """Run plain code to its end and return what it returns.

    Its one variable is `plain`, so that looking at its frame, as `behind` does, keeps nothing else alive.
    """
    plain.begin()
    while not plain.ended:
        try:
            plain.answer(await plain.awaits)
        except BaseException as error:  # noqa: BLE001 - the code may handle it
            plain.refuse(error)
        plain.run()
    return plain.outcome()


DRIVE: Final[CodeType] = drive.__code__


def behind(frame: FrameType) -> list[FrameType]:
    """The frames of the plain code that a frame of `drive` is driving, outermost first."""
    plain: Plain = frame.f_locals["plain"]
    inner, frames = plain.innermost(), []
    while inner is not None:
        frames.append(inner)
        inner = inner.f_back
    return frames[::-1]
