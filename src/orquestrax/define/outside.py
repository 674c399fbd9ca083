"""Steps run outside of a workflow: the function, once, without retry or time limit.

`run_once` is what awaiting a step does; `run_blocking` is `step.call(…)`. The latter runs an `async def` on
the loop that its resources belong to: that of the node, for a step within a step, else one private loop in a
thread of its own that lives as long as the process. So a pool made by the first call is there for the second,
in any thread.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol, TypeVar

from orquestrax.base.errors import BlockingCall, NotInWorkflow
from orquestrax.define.resources import Resource, active, of_running_loop
from orquestrax.define.threads import require_own_thread
from orquestrax.define.transaction import Taken

T = TypeVar("T")
_CLOSING_SECONDS: Final = 10.0


class Runnable(Protocol):
    """A step, as far as it matters here. `positional` names its positional parameters in order."""

    is_async: bool
    positional: tuple[str, ...]

    @property
    def name(self) -> str: ...
    @property
    def fn(self) -> Callable[..., Any]: ...
    @property
    def uses(self) -> Mapping[str, Resource[Any]]: ...
    @property
    def transaction(self) -> Taken | None: ...


async def run_once(step: Runnable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the function here: an `async def` on this loop, a `def` in a thread. Returns what it returns."""
    require_own_thread(step.name)
    _require_transaction(step, args, kwargs)
    if step.uses:
        kwargs = await _bound(step, args, kwargs)
    if step.is_async:
        return await step.fn(*args, **kwargs)
    return await asyncio.to_thread(_plain, step, args, kwargs)


def run_blocking(step: Runnable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the function and wait for it. BlockingCall in a thread whose event loop runs."""
    if asyncio._get_running_loop() is not None:  # noqa: SLF001 - the public one raises where there is none
        raise BlockingCall(
            f"{step.name}.call(…) would stop this thread's event loop: write `await {step.name}(…)` instead"
        )
    require_own_thread(step.name)
    if step.is_async:
        return _wait_for(run_once(step, args, kwargs))
    _require_transaction(step, args, kwargs)
    if step.uses:
        kwargs = _wait_for(_bound(step, args, kwargs))
    return step.fn(*args, **kwargs)


def _require_transaction(step: Runnable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Outside of a workflow there is no result to commit with it."""
    taken = step.transaction
    if (
        taken is not None
        and taken.parameter not in kwargs
        and taken.parameter not in step.positional[: len(args)]
    ):
        raise NotInWorkflow(
            f"step {step.name} is transactional: outside of a workflow pass {taken.parameter}= yourself, in a "
            "transaction that you commit"
        )


async def _bound(step: Runnable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return await of_running_loop().bind(step, kwargs, step.positional[: len(args)])


def _plain(step: Runnable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return step.fn(*args, **kwargs)
    except StopIteration as error:  # a future cannot carry it, and its waiter would hang
        raise RuntimeError(f"step {step.name} raised StopIteration") from error


def _wait_for(work: Coroutine[Any, Any, T]) -> T:
    around = active()
    loop = around.loop if around is not None else None
    if loop is None or not loop.is_running():
        loop = _private.loop()
    elsewhere = _Elsewhere(work)
    try:  # around the hand-over as well: Ctrl-C may come before there is a future to cancel
        result: T = asyncio.run_coroutine_threadsafe(elsewhere.run(), loop).result()
    except BaseException:
        loop.call_soon_threadsafe(elsewhere.cancel)  # Ctrl-C here must not leave the work running there
        raise
    return result


class _Elsewhere:
    """Work on another thread's loop that can be cancelled from the moment it is handed over."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False

    async def run(self) -> Any:
        self._task = asyncio.current_task()
        if self._cancelled:
            self._work.close()
            raise asyncio.CancelledError
        return await self._work

    def cancel(self) -> None:
        """On the loop's own thread."""
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()


class _PrivateLoop:
    """An event loop in a daemon thread, started when first needed and closed with its resources at exit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="orquestrax-steps", daemon=True).start()
                atexit.register(self._close)
            return self._loop

    def _close(self) -> None:
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(_close_resources(), self._loop).result(_CLOSING_SECONDS)

    def forget(self) -> None:
        """After a fork the thread is gone: the child makes a loop of its own."""
        self.__init__()  # type: ignore[misc]


async def _close_resources() -> None:
    await of_running_loop().aclose()


_private: Final = _PrivateLoop()
os.register_at_fork(after_in_child=_private.forget)
