"""How a loop makes its futures and tasks, numbers them, and holds the tasks that are not done.

They are held, since a task that is reachable only from what it waits for would else end with the next
garbage collection. And they are taken out of asyncio's own set of tasks, which before Python 3.14 is one for
the process: ours hash by small numbers that each instance counts anew, so thousands would collide.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextvars import copy_context
from typing import Any, Final

from orquestrax.replay.forbidden import ForbiddingLoop, refuse
from orquestrax.replay.machine import Machine
from orquestrax.replay.tasks import IN_A_SET, CommandFuture, Future, Task

_FEW: Final = 64
_EAGER: Final = getattr(asyncio, "eager_task_factory", None)


class Maker(ForbiddingLoop):  # type: ignore[misc] # what `type` makes is Any
    """The half of the loop that makes things.

    closed      evicted: nothing is queued or asked for any more
    generators  the asynchronous generators that have begun
    replaying   stored events are being applied, so what was said before is not said again
    """

    def __init__(self, name: str, machine: Machine) -> None:
        self.name = name
        self.machine = machine
        self.closed = self.replaying = False
        self.main: Task | None = None
        self.keeper: Task | None = None
        self.generators: list[AsyncGenerator[Any, Any]] = []
        self._tasks: list[Task] = []
        self._made = self._named = 0
        self._prune_at = self._tidy_at = _FEW
        self._factory: Any = None

    @property
    def silent(self) -> bool:
        """Whether logs and reports are held back."""
        return self.closed or self.replaying

    def number(self, future: Any) -> None:
        """Give a future its place in sets."""
        self._made += 1
        future.number = self._made

    def create_future(self) -> Future:
        """A future of this loop."""
        future = Future(loop=self)
        self.number(future)
        return future

    def command_future(self) -> CommandFuture:
        """A future for the outcome of a command."""
        future = CommandFuture(loop=self)
        self._made += 1
        future.number = self._made
        future.command = 0
        return future

    def create_task(
        self, coro: Any, *, name: Any = None, context: Any = None, eager_start: bool | None = None
    ) -> Any:
        """A task of this loop, begun in the next round, or at once with `eager_start`."""
        if self._factory is None and not eager_start:
            return self.make_task(coro, name=name, context=context)
        if eager_start and sys.version_info < (3, 12):
            coro.close()
            refuse("an eager task on Python 3.11", "leave eager_start out, or run it on Python 3.12 or newer")
        if self._factory is None or self._factory is _EAGER:
            eager = eager_start is not False
            return self.make_task(coro, name=name, context=context, eager_start=eager)
        options = {"context": context, "eager_start": eager_start}
        task = self._factory(self, coro, **{key: each for key, each in options.items() if each is not None})
        if not isinstance(task, Task):
            task.cancel()
            refuse(
                "a task of another class", "let the task factory return loop.make_task(coro, context=context)"
            )
        if name is not None:
            task.set_name(name)
        return task

    def make_task(
        self,
        coro: Any,
        *,
        name: Any = None,
        context: Any = None,
        eager_start: bool = False,
        listed: bool = True,
    ) -> Task:
        """What `create_task` does without a factory. A task that is not listed is the loop's own."""
        task = Task.__new__(Task)
        self._made += 1
        task.number = self._made
        if name is None:
            self._named += 1
            name = f"{self.name}:{self._named}"
        task.context = copy_context() if context is None else context
        hidden = IN_A_SET or not listed  # nobody's `all_tasks()` is to find the loop's own
        if eager_start and not self.closed:
            self._hold(task)  # before the tasks that it makes
            task.__init__(coro, loop=self, name=name, context=task.context, eager_start=True)  # type: ignore[misc]
            listed = False
        else:
            task.__init__(coro, loop=self, name=name, context=task.context)  # type: ignore[misc]
        if hidden:
            asyncio._unregister_task(task)  # noqa: SLF001
        if self.closed:
            coro.close()
        elif listed:
            self._hold(task)
        return task

    def _hold(self, task: Task) -> None:
        self._tasks.append(task)
        if len(self._tasks) >= self._prune_at:
            self.prune()

    def prune(self) -> None:
        """Let go of the tasks that are done."""
        if self.silent:
            for task in self._tasks:
                if task.done():
                    task._log_traceback = False  # noqa: SLF001 - said when it happened
        self._tasks = self.unfinished()
        self._prune_at = max(_FEW, 2 * len(self._tasks))

    def unfinished(self) -> list[Task]:
        """The tasks that are not done, in the order of their making."""
        return [task for task in self._tasks if not task.done()]

    @property
    def holds_code(self) -> bool:
        """Whether there is anything that could still run; what has finished holds nothing."""
        return bool(self._tasks or self.keeper or self.generators)

    def forget_tasks(self) -> None:
        """Hold no task any more."""
        self._tasks = []
        self.keeper = None

    def get_task_factory(self) -> Any:
        """What `set_task_factory` was given."""
        return self._factory

    def set_task_factory(self, factory: Any) -> None:
        """Let `factory(loop, coro, context=…)` make the tasks; it returns what `make_task` gives it."""
        self._factory = factory
