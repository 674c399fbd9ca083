"""Functions of asyncio whose outcome would differ between Python versions or between processes.

On a loop of ours they take the way written here; on every other loop nothing changes. Their code is
exchanged, once per process when the first workflow runs, because users write `from asyncio import wait_for`
long before that.

wait_for      before 3.12 it wrapped what it waits for in a task, so commands came in another order
as_completed  makes tasks in the order of a set of coroutines, that is of their addresses
all_tasks     asks a set that our tasks are not in (see `making`)
wrap_future   would wait for another thread, which cannot call into a workflow
Futures made by `gather` get a place in sets as all other futures of a loop have it.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import futures, tasks
from collections.abc import Awaitable, Callable, Iterable
from types import FunctionType
from typing import Any, Final

from orquestrax.replay.forbidden import refuse
from orquestrax.replay.loop import Loop

_HOOK: Final = "_orquestrax_alike"


def _ours() -> Loop | None:
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the public one raises where there is none
    return loop if isinstance(loop, Loop) else None


class _Hook:
    """The originals, and the choice between them and ours."""

    def __init__(self) -> None:
        self.originals: dict[str, Callable[..., Any]] = {}

    async def wait_for(self, fut: Awaitable[Any], timeout: float | None) -> Any:  # noqa: ASYNC109
        if _ours() is None or timeout is None or timeout <= 0:
            return await self.originals["wait_for"](fut, timeout)
        async with asyncio.timeout(timeout):
            return await fut

    def as_completed(self, fs: Iterable[Any], timeout: float | None) -> Any:
        loop = _ours()
        if loop is not None and not (futures.isfuture(fs) or asyncio.iscoroutine(fs)):
            fs = [asyncio.ensure_future(each, loop=loop) for each in dict.fromkeys(fs)]
        return self.originals["as_completed"](fs, timeout=timeout)

    def all_tasks(self, loop: asyncio.AbstractEventLoop | None) -> set[Any]:
        asked = _ours() if loop is None else loop
        if isinstance(asked, Loop):
            return set(asked.unfinished())
        found: set[Any] = self.originals["all_tasks"](loop)
        return found

    def wrap_future(self, future: Any, loop: asyncio.AbstractEventLoop | None) -> Any:
        if (_ours() is not None or isinstance(loop, Loop)) and not futures.isfuture(future):
            refuse("a future of another thread", "put the work in a step and await that")
        return self.originals["wrap_future"](future, loop=loop)


async def _wait_for(fut, timeout):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, ASYNC109
    return await _orquestrax_alike.wait_for(fut, timeout)  # type: ignore[name-defined] # noqa: F821


def _as_completed(fs, *, timeout=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    return _orquestrax_alike.as_completed(fs, timeout)  # type: ignore[name-defined] # noqa: F821


def _all_tasks(loop=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    return _orquestrax_alike.all_tasks(loop)  # type: ignore[name-defined] # noqa: F821


def _wrap_future(future, *, loop=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    return _orquestrax_alike.wrap_future(future, loop)  # type: ignore[name-defined] # noqa: F821


def install() -> None:
    """Take effect. Repeated calls change nothing."""
    if hasattr(tasks, _HOOK):
        return
    hook = _Hook()
    if vars(tasks).setdefault(_HOOK, hook) is not hook:  # another thread was faster
        return
    setattr(futures, _HOOK, hook)
    _exchange(hook, tasks.as_completed, _as_completed)
    _exchange(hook, futures.wrap_future, _wrap_future)
    if sys.version_info < (3, 12):
        _exchange(hook, tasks.wait_for, _wait_for)
    if sys.version_info < (3, 14):
        _exchange(hook, tasks.all_tasks, _all_tasks)
    tasks._GatheringFuture.__hash__ = _hash  # type: ignore[attr-defined]  # noqa: SLF001


def _exchange(hook: _Hook, function: Any, replacement: Any) -> None:
    original = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    original.__kwdefaults__ = function.__kwdefaults__
    hook.originals[function.__name__] = original
    function.__code__ = replacement.__code__


def _hash(self: Any) -> int:
    loop = self.get_loop()
    if not isinstance(loop, Loop):
        return object.__hash__(self)
    if not hasattr(self, "number"):
        loop.number(self)
    number: int = self.number
    return number
