"""`gather` and `as_completed`, as Python 3.13 has them, in the order in which they are given their awaitables."""

from __future__ import annotations

import asyncio
import inspect
from asyncio import CancelledError, tasks
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from typing import Any

from orquestrax.replay.loop import Loop


class AsCompleted(Iterator[Any], AsyncIterator[Any]):
    """What `as_completed` returns: the plain iterator yields coroutines, the asynchronous one futures."""

    def __init__(self, loop: Loop, awaitables: Iterable[Any], timeout: float | None) -> None:
        if inspect.isawaitable(awaitables):
            raise TypeError(f"expects an iterable of awaitables, not {type(awaitables).__name__}")
        self._done: asyncio.Queue[Any] = asyncio.Queue()
        self._todo = dict.fromkeys([asyncio.ensure_future(each) for each in dict.fromkeys(awaitables)])
        self._left = len(self._todo)
        self._limit: asyncio.TimerHandle | None = None
        for future in self._todo:
            future.add_done_callback(self._completed)
        if self._todo and timeout is not None:
            self._limit = loop.call_later(timeout, self._late)

    def _completed(self, future: Any) -> None:
        if future in self._todo:
            del self._todo[future]
            self._done.put_nowait(future)
            if not self._todo and self._limit is not None:
                self._limit.cancel()

    def _late(self) -> None:
        for future in self._todo:
            future.remove_done_callback(self._completed)
            self._done.put_nowait(None)
        self._todo.clear()

    async def _next(self) -> Any:
        future = await self._done.get()
        if future is None:
            raise TimeoutError
        return future

    async def _result(self) -> Any:
        return (await self._next()).result()

    def _take(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def __next__(self) -> Coroutine[Any, Any, Any]:
        if not self._take():
            raise StopIteration
        return self._result()

    async def __anext__(self) -> Any:
        if not self._take():
            raise StopAsyncIteration
        return await self._next()


class Gathering:
    """One `gather`. What is done already counts at once; before Python 3.12 it took another round."""

    def __init__(self, loop: Loop, awaitables: tuple[Any, ...], *, return_exceptions: bool) -> None:
        self._return_exceptions = return_exceptions
        found = {each: asyncio.ensure_future(each, loop=loop) for each in dict.fromkeys(awaitables)}
        self._left = len(found)
        self._children = [found[each] for each in awaitables]
        self.outer: Any = tasks._GatheringFuture(self._children, loop=loop)  # type: ignore[attr-defined]  # noqa: SLF001
        for child in found.values():
            if not child.done():
                child.add_done_callback(self._one_done)
        for child in [child for child in found.values() if child.done()]:
            self._one_done(child)

    def _one_done(self, child: Any) -> None:
        self._left -= 1
        outer = self.outer
        error = _error_of(child)
        if outer.done():
            return
        if error is not None and not self._return_exceptions:
            outer.set_exception(error)
        elif self._left == 0 and outer._cancel_requested:  # noqa: SLF001
            outer.set_exception(child._make_cancelled_error())  # noqa: SLF001
        elif self._left == 0:
            outer.set_result([_outcome_of(each) for each in self._children])


def _error_of(child: Any) -> BaseException | None:
    error: BaseException | None = child._make_cancelled_error() if child.cancelled() else child.exception()  # noqa: SLF001
    return error


def _outcome_of(child: Any) -> Any:
    if child.cancelled():
        message = child._cancel_message  # noqa: SLF001
        return CancelledError("" if message is None else message)
    error = child.exception()
    return child.result() if error is None else error
