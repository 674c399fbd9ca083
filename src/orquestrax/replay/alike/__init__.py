"""Functions of asyncio whose outcome would differ between Python versions or between processes.

On a loop of ours they take the way written here; on every other loop nothing changes. Each acts as the newest
Python does, so a history recorded on one version fits all others.

wait_for      before 3.12 it wrapped what it waits for in a task, so commands came in another order
gather        before 3.12 it took a round of the loop for what was done already (`waiting`)
suppress      before 3.12 it let all groups of errors pass (`suppressing`)
as_completed  makes tasks in the order of a set of coroutines, that is of their addresses; before 3.13 its
              time limit began with the first iteration (`waiting`)
TaskGroup     before 3.13 it could lose a cancellation from outside (`groups`)
Semaphore, Condition    before 3.13 they could lose a wake-up (`locks`)
Task.uncancel           before 3.13 it did not take a cancellation back (`orquestrax.replay.tasks`)
all_tasks     asks a set that our tasks are not in (`orquestrax.replay.making`)
wrap_future, run, new_event_loop, run_coroutine_threadsafe    would wait for another thread or loop: refused
Futures made by `gather` get a place in sets as all other futures of a loop have it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio import events, futures, runners, taskgroups, tasks
from asyncio import locks as their_locks
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NoReturn

from orquestrax.replay.alike import exchange, groups, locks, suppressing
from orquestrax.replay.alike.waiting import AsCompleted, Gathering
from orquestrax.replay.forbidden import HAS_A_LOOP, refuse
from orquestrax.replay.loop import Loop


class _Hook:
    """The originals, and the choice between them and ours."""

    def __init__(self) -> None:
        self.originals: dict[str, Callable[..., Any]] = {}

    async def wait_for(self, fut: Awaitable[Any], timeout: float | None) -> Any:  # noqa: ASYNC109
        if exchange.ours() is None or timeout is None or timeout <= 0:
            return await self.originals["wait_for"](fut, timeout)
        async with asyncio.timeout(timeout):
            return await fut

    def as_completed(self, fs: Iterable[Any], timeout: float | None) -> Any:
        loop = exchange.ours()
        if loop is None:
            return self.originals["as_completed"](fs, timeout=timeout)
        return AsCompleted(loop, fs, timeout)

    def gather(self, awaitables: tuple[Any, ...], return_exceptions: bool) -> Any:
        loop = exchange.ours()
        if loop is None or not awaitables:
            return self.originals["gather"](*awaitables, return_exceptions=return_exceptions)
        return Gathering(loop, awaitables, return_exceptions=return_exceptions).outer

    def all_tasks(self, loop: asyncio.AbstractEventLoop | None) -> set[Any]:
        asked = exchange.ours() if loop is None else loop
        if isinstance(asked, Loop):
            return set(asked.unfinished())
        found: set[Any] = self.originals["all_tasks"](loop)
        return found

    def wrap_future(self, future: Any, loop: asyncio.AbstractEventLoop | None) -> Any:
        if (exchange.ours() is not None or isinstance(loop, Loop)) and not futures.isfuture(future):
            refuse("a future of another thread", "put the work in a step")
        return self.originals["wrap_future"](future, loop=loop)

    def run(self, main: Any, options: dict[str, Any]) -> Any:
        if exchange.ours() is not None:
            _refuse_loop(main, "asyncio.run()")
        return self.originals["run"](main, **options)

    def new_event_loop(self) -> Any:
        if exchange.ours() is not None:
            _refuse_loop(None, "a second event loop")
        return self.originals["new_event_loop"]()

    def run_coroutine_threadsafe(self, coro: Any, loop: Any) -> Any:
        if isinstance(loop, Loop) or exchange.ours() is not None:
            coro.close()
            refuse(
                "asyncio.run_coroutine_threadsafe()",
                "another thread cannot be replayed, let a step do it, or send the workflow a signal",
            )
        return self.originals["run_coroutine_threadsafe"](coro, loop)


def _refuse_loop(main: Any, facility: str) -> NoReturn:
    if asyncio.iscoroutine(main):
        main.close()
    refuse(facility, HAS_A_LOOP)


async def wait_for(fut, timeout):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, ASYNC109
    return await _orquestrax_alike.wait_for(fut, timeout)  # type: ignore[name-defined] # noqa: F821


def as_completed(fs, *, timeout=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    return _orquestrax_alike.as_completed(fs, timeout)  # type: ignore[name-defined] # noqa: F821


def gather(*coros_or_futures, return_exceptions=False):  # type: ignore[no-untyped-def] # noqa: ANN002, ANN001, ANN201
    return _orquestrax_alike.gather(coros_or_futures, return_exceptions)  # type: ignore[name-defined] # noqa: F821


def all_tasks(loop=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    return _orquestrax_alike.all_tasks(loop)  # type: ignore[name-defined] # noqa: F821


def wrap_future(future, *, loop=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    return _orquestrax_alike.wrap_future(future, loop)  # type: ignore[name-defined] # noqa: F821


def run(main, **options):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN003, ANN201
    return _orquestrax_alike.run(main, options)  # type: ignore[name-defined] # noqa: F821


def new_event_loop():  # type: ignore[no-untyped-def] # noqa: ANN201
    return _orquestrax_alike.new_event_loop()  # type: ignore[name-defined] # noqa: F821


def run_coroutine_threadsafe(coro, loop):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    return _orquestrax_alike.run_coroutine_threadsafe(coro, loop)  # type: ignore[name-defined] # noqa: F821


def install() -> None:
    """Take effect. Repeated calls change nothing."""
    if hasattr(tasks, exchange.HOOK):
        return
    hook = _Hook()
    if vars(tasks).setdefault(exchange.HOOK, hook) is not hook:  # another thread was faster
        return
    for module, replacement in _functions():
        hook.originals[replacement.__name__] = exchange.function(module, hook, replacement)
    if sys.version_info < (3, 12):
        exchange.method(contextlib.suppress, "__exit__", suppressing.leave)
    if sys.version_info < (3, 13):
        exchange.method(their_locks.Semaphore, "acquire", locks.acquire)
        exchange.method(their_locks.Condition, "wait", locks.wait)
    if sys.version_info < (3, 14):
        exchange.method(taskgroups.TaskGroup, "__aexit__", groups.leave)
        exchange.method(taskgroups.TaskGroup, "create_task", groups.create_task)
    tasks._GatheringFuture.__hash__ = _hash  # type: ignore[attr-defined]  # noqa: SLF001


def _functions() -> list[tuple[Any, Callable[..., Any]]]:
    found: list[tuple[Any, Callable[..., Any]]] = [
        (tasks, as_completed),
        (futures, wrap_future),
        (runners, run),
        (events, new_event_loop),
        (tasks, run_coroutine_threadsafe),
    ]
    if sys.version_info < (3, 12):
        found += [(tasks, wait_for), (tasks, gather)]
    if sys.version_info < (3, 14):
        found += [(tasks, all_tasks)]
    return found


def _hash(self: Any) -> int:
    loop = self.get_loop()
    if not isinstance(loop, Loop):
        return object.__hash__(self)
    if not hasattr(self, "number"):
        loop.number(self)
    number: int = self.number
    return number
