"""The life of one resource: a task that makes it, waits, and closes it.

One task from start to end, because what a resource opens (task groups, cancel scopes, time limits) must be
closed by the task that opened it. A keeper closes after all that were ready later than itself, whether it was
asked to or its loop is ending and cancels it: the order is the same either way.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from typing import Any, Final

from orquestrax.base.errors import DefinitionError
from orquestrax.define.checks import place
from orquestrax.define.resource import Resource

_NOTHING: Final = object()


class Keeper:
    """Holds `resource` from now until `close`. `ready` is its value, or what its creation raised.

    order     the keepers of the same owner in the order in which they became ready; this one adds itself
    bind      finds the resources that this one takes
    forget    called when the resource is no longer there
    """

    def __init__(
        self,
        resource: Resource[Any],
        *,
        order: list[Keeper],
        bind: Callable[[Resource[Any]], Awaitable[dict[str, Any]]],
        forget: Callable[[], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[Any] = loop.create_future()
        self.ready.add_done_callback(_look_at)
        self._resource, self._order, self._bind, self._forget = resource, order, bind, forget
        self._closing = asyncio.Event()
        # A context of its own: a pool is nobody's step, whoever happened to be first.
        self.task = loop.create_task(self._keep(), name=f"resource {resource.name}", context=Context())

    def close(self) -> None:
        """Begin to close; `task` ends when that is done. One that is still being made is given up."""
        if self.ready.done():
            self._closing.set()
        else:
            self.task.cancel()

    async def _keep(self) -> None:
        try:
            generator = self._resource.fn(**await self._bind(self._resource))
            value = await self._first(generator)
        except BaseException as error:
            self._fail(error)
            if isinstance(error, Exception):
                return
            raise
        self._order.append(self)
        self.ready.set_result(value)
        await self._until_closing()
        await self._close(generator)

    def _fail(self, error: BaseException) -> None:
        self._forget()
        if isinstance(error, Exception):
            self.ready.set_exception(error)
        else:
            self.ready.cancel()

    async def _until_closing(self) -> None:
        with suppress(asyncio.CancelledError):  # asyncio.run cancels what is left: the time to close
            await self._closing.wait()
        later = self._order[self._order.index(self) + 1 :]
        if later:
            await asyncio.wait([keeper.task for keeper in later])

    async def _close(self, generator: Any) -> None:
        self._forget()
        self._order.remove(self)
        if await self._next(generator) is not _NOTHING:
            raise DefinitionError(f"{self._at()} yielded a second time: a resource yields its value once")

    async def _first(self, generator: Any) -> Any:
        value = await self._next(generator)
        if value is _NOTHING:
            raise DefinitionError(f"{self._at()} ended without yield: a resource yields its value once")
        return value

    async def _next(self, generator: Any) -> Any:
        if self._resource.is_async:
            return await anext(generator, _NOTHING)
        if not threading.main_thread().is_alive():  # the interpreter is ending and starts no threads any more
            return next(generator, _NOTHING)
        return await asyncio.to_thread(next, generator, _NOTHING)

    def _at(self) -> str:
        return f"{place(self._resource.file, self._resource.line)}: resource {self._resource.name}"


def _look_at(ready: asyncio.Future[Any]) -> None:
    """Mark an error as seen: nobody may be waiting any more."""
    if not ready.cancelled():
        ready.exception()
