"""The event loop of one workflow: a ready queue, and a time that only events move.

A delay above zero is a timer command; everything that reaches outside is refused (`forbidden`). `run` takes the place
of the host's loop for a moment: asyncio's functions find this one as the running loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from asyncio import _get_running_loop, _set_running_loop, current_task
from collections import deque
from collections.abc import AsyncGenerator, Callable
from math import ceil
from typing import Any, Final

from orquestrax.base.errors import InvalidInput
from orquestrax.replay.forbidden import ForbiddingLoop, refuse
from orquestrax.replay.machine import Machine
from orquestrax.replay.sites import caller
from orquestrax.replay.tasks import Future, Handle, Task, TimerHandle

_log: Final = logging.getLogger("orquestrax.workflow")
_LONGEST: Final = 100 * 365.25 * 86400.0
# Before 3.14 asyncio keeps all tasks of the process in one set. Ours hash by small numbers that each instance counts anew,
# so thousands of instances would all collide there: they are taken out, and `alike` answers `all_tasks`.
_IN_A_WEAK_SET: Final = sys.version_info < (3, 14)
_HOSTED_IN_TASK: Final = "workflow code cannot run inside a task of the host's loop: enter it from a plain callback (loop.call_soon)"


def _microseconds(seconds: float, delay: float) -> int:
    """Rounded up, but for the noise of floats: 0.1 + 0.2 seconds are 300,000."""
    if not delay <= _LONGEST:  # NaN is not, either
        raise InvalidInput(
            f"a timer of {delay} seconds is not possible: a delay is a number up to {_LONGEST:.0f} (100 years), "
            "and no time limit at all is written None"
        )
    return ceil(max(seconds, 0.0) * 1e6 - 1e-3)


class Loop(ForbiddingLoop):
    """The loop of the instance `owner`. `now` and `started_at` are microseconds since the epoch.

    closed      evicted: nothing is queued or asked for any more
    replaying   stored events are being applied, so what was said before is not said again
    on_halt     called once after the round of callbacks that `halt` was called in
    """

    def __init__(self, name: str, started_at: int, machine: Machine, owner: Any) -> None:
        self.name = name
        self.owner = owner
        self.started_at = self.now = started_at
        self.machine = machine
        self.closed = self.replaying = False
        self.context = contextvars.Context()
        self.on_halt: Callable[[], None] | None = None
        self.ready: deque[Handle | TimerHandle] = deque()
        self.generators: list[AsyncGenerator[Any, Any]] = []
        self._tasks: list[Task] = []
        self._made = self._named = 0
        self._prune_at = 64
        self._factory: Any = None

    @property
    def silent(self) -> bool:
        """Whether logs and reports are held back."""
        return self.closed or self.replaying

    # -- time ------------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Seconds since the workflow started."""
        return (self.now - self.started_at) / 1e6

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run the callback in the next round."""
        handle = Handle(callback, args, self, context)
        if not self.closed:
            self.ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run the callback after `delay` seconds: a durable timer, if there is anything to wait for."""
        handle = TimerHandle(self.time() + delay, callback, args, self, context, self.machine)
        self._schedule(handle, self.now + _microseconds(delay, delay))
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run the callback when `time()` is `when`."""
        handle = TimerHandle(when, callback, args, self, context, self.machine)
        self._schedule(handle, self.started_at + _microseconds(when, when - self.time()))
        return handle

    def _schedule(self, handle: TimerHandle, due: int) -> None:
        if self.closed:
            return
        if due > self.now:
            self.machine.ask_timer(due, caller(_RUN), self.now, handle)
        else:
            self.ready.append(handle)

    # -- futures and tasks -----------------------------------------------------------------------------------------

    def number(self, future: Any) -> None:
        """Give a future or task its place in sets."""
        self._made += 1
        future.number = self._made

    def create_future(self) -> Future:
        """A future of this loop."""
        future = Future(loop=self)
        self._made += 1
        future.number = self._made
        return future

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None, **options: Any) -> Any:
        """A task of this loop, begun in the next round."""
        if options.get("eager_start"):
            coro.close()
            refuse("an eager task", "leave eager_start out")
        if self._factory is None:
            return self.make_task(coro, name=name, context=context)
        task = self._factory(self, coro, **({} if context is None else {"context": context}))
        if not isinstance(task, Task):
            refuse("a task of another class", "let the task factory return loop.make_task(coro, context=…)")
        if name is not None:
            task.set_name(name)
        return task

    def make_task(self, coro: Any, *, name: Any = None, context: Any = None) -> Task:
        """What `create_task` does without a factory."""
        task = Task.__new__(Task)
        self._made += 1
        task.number = self._made
        if name is None:
            self._named += 1
            name = f"{self.name}:{self._named}"
        task.__init__(coro, loop=self, name=name, context=context)  # type: ignore[misc]
        if _IN_A_WEAK_SET:
            asyncio._unregister_task(task)  # type: ignore[attr-defined]  # noqa: SLF001 - as explained above
        if self.closed:
            silence(task)
            coro.close()
            return task
        self._tasks.append(task)
        if len(self._tasks) >= self._prune_at:
            self.prune()
        return task

    def prune(self) -> None:
        """Let go of tasks that are done."""
        if self.silent:
            for task in self._tasks:
                if task.done():
                    task._log_traceback = False  # noqa: SLF001 - said when it happened
        self._tasks = [task for task in self._tasks if not task.done()]
        self._prune_at = max(64, 2 * len(self._tasks))

    def unfinished(self) -> list[Task]:
        """The tasks that are not done, in the order of their making."""
        return [task for task in self._tasks if not task.done()]

    def forget_tasks(self) -> None:
        """Hold no task any more."""
        self._tasks = []

    def get_task_factory(self) -> Any:
        """What `set_task_factory` was given."""
        return self._factory

    def set_task_factory(self, factory: Any) -> None:
        """Let `factory(loop, coro, context=…)` make the tasks; it must return what `make_task` does."""
        self._factory = factory

    # -- running ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run callbacks until none is ready. RuntimeError inside a task of the host's loop."""
        host = _get_running_loop()
        if host is not None and current_task(host) is not None:
            raise RuntimeError(_HOSTED_IN_TASK)
        self.within(self._run_ready)

    def within(self, work: Callable[[], None]) -> None:
        """Do this as the running loop."""
        host = _get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._generator_started, finalizer=_leave)
        _set_running_loop(self)
        try:
            work()
        finally:
            _set_running_loop(host)
            sys.set_asyncgen_hooks(*hooks)

    def _run_ready(self) -> None:
        ready = self.ready
        while ready:
            for _ in range(len(ready)):
                handle = ready.popleft()
                if handle._cancelled:  # noqa: SLF001 - cancelled() is a call
                    continue
                try:
                    handle._context.run(handle._callback, *handle._args)  # noqa: SLF001 - as Handle._run does
                except BaseException as error:  # noqa: BLE001 - nothing reaches the host
                    self._callback_failed(handle, error)
            if self.on_halt is not None:
                on_halt, self.on_halt = self.on_halt, None
                on_halt()

    def _callback_failed(self, handle: Handle | TimerHandle, error: BaseException) -> None:
        callback = handle._callback  # noqa: SLF001
        if isinstance(getattr(callback, "__self__", None), asyncio.Future):
            return  # KeyboardInterrupt or SystemExit in a task: the task has it as its outcome
        self.call_exception_handler({"message": f"Exception in callback {callback!r}", "exception": error})

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Log what nobody caught, unless it was said before."""
        if self.silent:
            return
        error = context.get("exception")
        message = context.get("message") or "Unhandled exception in workflow code"
        self.context.copy().run(_log.error, "%s", message, exc_info=error)

    def _generator_started(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Held until the end: when a half-used one is closed must not depend on the garbage collector."""
        if len(self.generators) % 64 == 63:
            self.generators = [kept for kept in self.generators if kept.ag_frame is not None]  # type: ignore[attr-defined]
        self.generators.append(generator)

    def get_exception_handler(self) -> None:
        """There is none but `call_exception_handler`."""

    def get_debug(self) -> bool:
        """Debug mode is the host's."""
        return False

    def is_running(self) -> bool:
        """Whether workflow code is running."""
        return _get_running_loop() is self

    def is_closed(self) -> bool:
        """Whether the instance was evicted."""
        return self.closed

    def __repr__(self) -> str:
        return f"<loop of workflow {self.name!r}>"


_RUN: Final = Loop._run_ready.__code__  # noqa: SLF001 - where the search for the user's line ends


def silence(task: asyncio.Task[Any]) -> None:
    """Let a task go without the report that it was still pending, or that nobody saw its error."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
    task._log_traceback = False  # noqa: SLF001


def _leave(generator: AsyncGenerator[Any, Any]) -> None:
    """Finalizer of asynchronous generators: they were closed by `ending` or `eviction`, or are not to run at all."""
