"""How to run a program on any loop: what its functions call, and the trace of what they did."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

from tests.unit.replay.programs import Program

Function = Callable[[], Awaitable[Any]]
_spawned = contextvars.ContextVar("spawned", default=1000)  # which of the run's tasks this is, or is part of


class Boom(Exception):
    """What a program raises."""


class InOrder(dict[Any, None]):
    """A set in the order of insertion."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)


class TaskGroup(asyncio.TaskGroup):
    """One that cancels its tasks in the order of their making; those of asyncio do in that of addresses."""

    def __init__(self) -> None:
        super().__init__()
        self._tasks = InOrder()  # type: ignore[assignment]


class Run:
    """One run of a program. `step`, `fail` and `receive` are what differs between loops."""

    def __init__(self, program: Program, **outside: Callable[..., Awaitable[Any]]) -> None:
        self.program = program
        self.trace: list[Any] = []
        self.over = False  # nothing more is to begin, or to be noted
        self._tasks: list[asyncio.Task[Any]] = []
        offered = (self.run, self.each, self.start, self.spawn, self.pick, self.earlier)
        self._names = {function.__name__: function for function in offered}
        self._names |= {"told": told, "boom": boom, "eagerly": self.eagerly, **outside}
        self._names |= {"Boom": Boom, "TaskGroup": TaskGroup}
        self._names |= {"asyncio": asyncio, "contextlib": contextlib, "contextvars": contextvars}

    async def main(self) -> Any:
        """Run the program; what it returns is text and numbers only."""
        names = dict(self._names)
        exec(self.program.code, names)
        return await self.run(names[self.program.main])

    def _note(self, *what: Any) -> None:
        if not self.over:
            self.trace.append((round(asyncio.get_running_loop().time() * 1e6), *what))

    async def run(self, function: Function) -> Any:
        """Run one function of the program."""
        if self.over:
            raise Boom("over")
        self._note(function.__name__, "began")
        try:
            result = await function()
        except BaseException as error:
            self._note(function.__name__, "raised", describe(error))
            raise
        self._note(function.__name__, "returned", result)
        return result

    async def each(self, *functions: Function) -> Any:
        """Run these, one after the other."""
        return [await self.run(function) for function in functions]

    def start(self, *functions: Function) -> list[asyncio.Task[Any]]:
        """A task for each."""
        return [asyncio.create_task(self.run(function)) for function in functions]

    # -- tasks that go on beside, and that others find --

    def spawn(self, *functions: Function) -> None:
        for function in functions:
            self._tasks.append(asyncio.create_task(self._numbered(len(self._tasks), function)))

    async def _numbered(self, number: int, function: Function) -> Any:
        _spawned.set(number)
        return await self.run(function)

    def pick(self, which: int) -> asyncio.Task[Any] | None:
        return self._tasks[which % len(self._tasks)] if self._tasks else None

    def earlier(self, which: int) -> asyncio.Task[Any] | None:
        """Only a task that was spawned earlier: to cancel a ring of tasks is an endless recursion."""
        earlier = self._tasks[: _spawned.get()]
        return earlier[which % len(earlier)] if earlier else None

    # -- tasks that begin at once --

    def eagerly(self, make: Callable[[Any], asyncio.Task[Any]], function: Function) -> asyncio.Task[Any]:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        try:
            return make(self._lazy_again(function))
        finally:
            loop.set_task_factory(None)

    async def _lazy_again(self, function: Function) -> Any:
        """Else `as_completed` within gets tasks that are done, and has them in a set."""
        asyncio.get_running_loop().set_task_factory(None)
        return await self.run(function)


def boom() -> None:
    raise Boom


def told(result: Any) -> Any:
    """A result, or an exception in words."""
    return describe(result) if isinstance(result, BaseException) else result


def describe(error: BaseException) -> str:
    """An exception in words that are the same on every loop."""
    if isinstance(error, BaseExceptionGroup):
        return f"{type(error).__name__}({', '.join(describe(each) for each in error.exceptions)})"
    if isinstance(error, RuntimeError):
        return type(error).__name__  # its text has addresses in it
    return f"{type(error).__name__}({error})"
