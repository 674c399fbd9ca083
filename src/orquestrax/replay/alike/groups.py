"""Task groups, as Python 3.14 has them.

Before 3.13 a group that fails while its task is cancelled from outside forgot that cancellation; before 3.14
it did not let an asynchronous generator close with its own GeneratorExit, and heard of a task that was done
at once before its maker could go on.
"""

# ruff: noqa: SLF001 - these are its methods, on the fields that Python's own have

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Coroutine
from typing import Any


async def leave(self: Any, _type: Any, error: BaseException | None, _traceback: Any) -> None:
    """`TaskGroup.__aexit__`."""
    try:
        await _leave(self, error)
    finally:  # no cycles through tracebacks
        self._parent_task = self._errors = self._base_error = error = None


async def _leave(group: Any, error: BaseException | None) -> None:
    group._exiting = True
    if error is not None and group._base_error is None and group._is_base_error(error):
        group._base_error = error
    cancelled: BaseException | None = error if isinstance(error, CancelledError) else None
    if error is not None and not group._aborting:
        group._abort()
    cancelled = await _all_done(group, cancelled)
    if group._base_error is not None:
        raise group._base_error
    if group._parent_cancel_requested and group._parent_task.uncancel() == 0:
        cancelled = None
    if cancelled is not None and not group._errors:
        raise cancelled
    if error is not None and not isinstance(error, CancelledError):
        group._errors.append(error)
    if group._errors:
        _fail(group, error)


async def _all_done(group: Any, cancelled: BaseException | None) -> BaseException | None:
    """Wait for the tasks; the first cancellation from outside aborts them, and is returned."""
    while group._tasks:
        if group._on_completed_fut is None:
            group._on_completed_fut = group._loop.create_future()
        try:
            await group._on_completed_fut
        except CancelledError as error:
            if not group._aborting:
                cancelled = error
                group._abort()
        group._on_completed_fut = None
    return cancelled


def _fail(group: Any, error: BaseException | None) -> None:
    parent = group._parent_task
    if parent.cancelling():  # from outside: asked for again, as the group's error takes the place of this one
        parent.uncancel()
        parent.cancel()
    if isinstance(error, GeneratorExit) and len(group._errors) == 1:
        raise error
    raise BaseExceptionGroup("unhandled errors in a TaskGroup", group._errors) from None


def create_task(self: Any, coro: Coroutine[Any, Any, Any], **options: Any) -> Any:
    """`TaskGroup.create_task`."""
    if problem := _closed_to_tasks(self):
        coro.close()
        raise RuntimeError(f"TaskGroup {self!r} {problem}")
    task = self._loop.create_task(coro, **options)
    self._tasks.add(task)
    task.add_done_callback(self._on_task_done)
    return task


def _closed_to_tasks(group: Any) -> str | None:
    if not group._entered:
        return "has not been entered"
    if group._exiting and not group._tasks:
        return "is finished"
    return "is shutting down" if group._aborting else None
