"""After the main task: cancel what still runs, wait until it is done, then finish. `asyncio.run` does the same.

The cleanup of what is cancelled may ask for steps and timers; the end comes when they are through. Asynchronous
generators that were left half-used are closed last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from orquestrax.replay.loop import Loop
from orquestrax.replay.tasks import Task


def wind_down(loop: Loop, finish: Callable[[], None]) -> None:
    """Cancel the other tasks and call `finish` when nothing runs any more."""
    pending = loop.unfinished()
    generators = _half_used(loop)
    if not pending and not generators:
        finish()
        return
    for task in pending:
        task.cancel()
    loop.make_task(_wait_for_all(loop, pending, finish), context=loop.context.copy())


async def _wait_for_all(loop: Loop, pending: list[Task], finish: Callable[[], None]) -> None:
    me = asyncio.current_task()
    while pending:
        await asyncio.gather(*pending, return_exceptions=True)
        _report(loop, pending)
        pending = [task for task in loop.unfinished() if task is not me]  # made by the cleanup of others
        for task in pending:
            task.cancel()
    for generator in _half_used(loop):
        await _close(loop, generator)
    finish()


def _half_used(loop: Loop) -> list[AsyncGenerator[Any, Any]]:
    return [generator for generator in loop.generators if generator.ag_frame is not None]  # type: ignore[attr-defined]


def _report(loop: Loop, tasks: list[Task]) -> None:
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            message = f"task {task.get_name()!r} failed after the end of the workflow"
            loop.call_exception_handler({"message": message, "exception": task.exception()})


async def _close(loop: Loop, generator: AsyncGenerator[Any, Any]) -> None:
    try:
        await generator.aclose()
    except BaseException as error:  # noqa: BLE001 - as asyncio.run does
        loop.call_exception_handler(
            {"message": f"closing the asynchronous generator {generator!r} failed", "exception": error}
        )
