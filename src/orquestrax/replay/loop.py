"""The event loop of one workflow: a ready queue, and a time that only events move.

A delay above zero is a timer command; what reaches outside is refused (`forbidden`). While it runs, it stands
in the place of the host's loop, so asyncio's functions find it.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sys
from asyncio import _get_running_loop, _set_running_loop, current_task
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextvars import copy_context
from math import ceil
from typing import Any, Final

from orquestrax.base.errors import InvalidInput
from orquestrax.replay.machine import Machine
from orquestrax.replay.making import Maker
from orquestrax.replay.plain import Plain
from orquestrax.replay.sites import Site, caller, waiting
from orquestrax.replay.tasks import Handle, TimerHandle

_log: Final = logging.getLogger("orquestrax.workflow")
_LONGEST: Final = 100 * 365.25 * 86400.0

Context = contextvars.Context


class Loop(Maker):
    """The loop of the instance `owner`. `now` and `started_at` are microseconds since the epoch.

    main        the main task
    due         timers whose time had come when they were set: behind what is ready when the round ends
    keeper      the task that waits for the others at the end
    on_halt     called once, after the round of callbacks in which it was set
    plain       the plain `def` code that is running now, see `plain`
    """

    def __init__(self, name: str, started_at: int, machine: Machine, owner: Any) -> None:
        super().__init__(name, machine)
        self.owner = owner
        self.started_at = self.now = started_at
        self.context = Context()
        self.ready: deque[Any] = deque()  # handles
        self.due: list[asyncio.TimerHandle] = []
        self.on_halt: Callable[[], None] | None = None
        self.plain: Plain | None = None

    # -- time --

    def time(self) -> float:
        """Seconds since the workflow started."""
        return (self.now - self.started_at) / 1e6

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Run the callback in the next round."""
        handle = Handle.__new__(Handle)  # filled in here: an __init__ would double the cost of a result
        handle._callback, handle._args, handle._loop = callback, args, self  # noqa: SLF001
        handle._context = copy_context() if context is None else context  # noqa: SLF001
        handle._cancelled = False  # noqa: SLF001
        if not self.closed:
            self.ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run the callback after `delay` seconds: a durable timer, if there is anything to wait for."""
        due = self.now + _microseconds(delay, delay)
        return self._schedule(due, TimerHandle(self.time() + delay, callback, args, self, context))

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run the callback when `time()` is `when`."""
        due = self.started_at + _microseconds(when, when - self.time())
        return self._schedule(due, TimerHandle(when, callback, args, self, context))

    def _schedule(self, due: int, handle: TimerHandle) -> TimerHandle:
        if not self.closed:
            if due > self.now:
                self.machine.ask_timer(due, caller(_RUN), self.now, handle)
            else:
                self.due.append(handle)
        return handle

    # -- running --

    def run(self) -> None:
        """Run callbacks until none is ready."""
        self.within(self._run_ready)

    def within(self, work: Callable[[], None]) -> None:
        """Do this as the running loop. Garbage waits: no finalizer may run in the midst of workflow code."""
        host = _get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        collecting = gc.isenabled()
        sys.set_asyncgen_hooks(self._generator_began, _leave)
        gc.disable()
        _set_running_loop(self)
        try:
            work()
        finally:
            _set_running_loop(host)
            if collecting:
                gc.enable()
            sys.set_asyncgen_hooks(*hooks)

    def _run_ready(self) -> None:
        ready = self.ready
        while ready or self.due:
            if self.due:
                ready += sorted(self.due, key=asyncio.TimerHandle.when)
                self.due = []
            left = len(ready)  # what these make ready runs in the next round
            while left:
                left -= 1
                handle = ready.popleft()
                if handle._cancelled:  # noqa: SLF001 - fields instead of calls: this is the hottest line
                    continue
                try:
                    handle._context.run(handle._callback, *handle._args)  # noqa: SLF001
                except BaseException as error:  # noqa: BLE001 - nothing reaches the host
                    self._callback_failed(handle._callback, error)  # noqa: SLF001
            if self.on_halt is not None:
                on_halt, self.on_halt = self.on_halt, None
                on_halt()

    def _callback_failed(self, callback: Any, error: BaseException) -> None:
        ours = isinstance(getattr(callback, "__self__", None), asyncio.Task)
        if ours and isinstance(error, (SystemExit, KeyboardInterrupt)):
            return  # the task has it as its outcome and only wanted the loop to stop, too
        self.call_exception_handler({"message": f"Exception in callback {callback!r}", "exception": error})

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Log what nobody caught, unless that was done before."""
        if not self.silent:
            message = context.get("message") or "Unhandled exception in workflow code"
            error = context.get("exception")
            self.context.copy().run(_log.error, "%s", message, exc_info=error)

    def _generator_began(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Held to the end: when a half-used one is closed must not depend on the garbage collector."""
        if len(self.generators) >= self._tidy_at:
            self.generators = [each for each in self.generators if half_used(each)]
            self._tidy_at = max(64, 2 * len(self.generators))
        self.generators.append(generator)

    def let_go(self) -> None:
        """After the end: part the circle of instance, loop, context and task, so that all of it goes at once.

        Finding such circles took the garbage collector at least 14 of the 200 µs of a one-step workflow. Code that is
        running right now still has to learn whose it is.
        """
        if not self.is_running():
            self.owner = self.main = None
            self.context = Context()

    # -- questions --

    def waits_at(self) -> Site:
        """File and line of the workflow's source where the main task waits; after its end, another task."""
        running = [self.main, *self.unfinished()]
        return next((waiting(task.get_coro()) for task in running if task and not task.done()), (None, None))

    get_debug = staticmethod(bool)  # False: debug mode is the host's. In C, as each new future asks for it

    def get_exception_handler(self) -> None:
        """There is none but `call_exception_handler`."""

    def is_running(self) -> bool:
        """Whether code of this workflow is running."""
        return _get_running_loop() is self

    def is_closed(self) -> bool:
        """Whether the instance was evicted."""
        return self.closed

    def __repr__(self) -> str:
        return f"<loop of workflow {self.name!r}>"


_RUN: Final = Loop._run_ready.__code__  # noqa: SLF001 - where the search for the user's line ends


def _microseconds(seconds: float, delay: float) -> int:
    """Rounded up, but for the noise of floats: 0.1 + 0.2 seconds are 300,000."""
    if not delay <= _LONGEST:  # nor is NaN
        raise InvalidInput(
            f"a timer of {delay} seconds is not possible: "
            f"a delay is a number up to {_LONGEST:.0f} (100 years), and no time limit at all is written None"
        )
    return ceil(max(seconds, 0.0) * 1e6 - 1e-3)


def require_callback() -> None:
    """RuntimeError inside a task of the host's loop: asyncio cannot run a task within another one."""
    host = _get_running_loop()
    if host is not None and current_task(host) is not None:
        raise RuntimeError(
            "workflow code cannot run inside a task of the host's loop: "
            "enter it from a plain callback, as loop.call_soon makes them"
        )


def half_used(generator: AsyncGenerator[Any, Any]) -> bool:
    """Whether it has more to run."""
    return generator.ag_frame is not None  # type: ignore[attr-defined]


def _leave(generator: AsyncGenerator[Any, Any]) -> None:
    """Finalizer of asynchronous generators: closed at the end, and after an eviction none may run."""
