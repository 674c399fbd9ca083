"""Closing everything of an instance without a sound and without an effect.

The loop's `closed` flag is up by then, so commands, timers, tasks, logs and warnings of `finally` blocks lead
nowhere. What awaits again while it is closed is closed again; what will not end is kept for ever, as letting
go of it would print. Tasks go in the reverse order of their making: children first.

Before Python 3.13, closing a coroutine leaves an asynchronous generator that it is driving as it stands, and
nobody else may close that. So such generators are ended first, through the very object that drives them.
"""

from __future__ import annotations

from types import CoroutineType
from typing import Any, Final

from orquestrax.replay.loop import Loop
from orquestrax.replay.tasks import silence

_TRIES: Final = 1000
_DRIVERS: Final = frozenset({"async_generator_asend", "async_generator_athrow", "anext_awaitable"})
_stubborn: Final[list[Any]] = []


def evict(loop: Loop) -> None:
    """Close all tasks and generators; to be called as the running loop."""
    generators: list[Any] = loop.generators[::-1]
    tasks = loop.unfinished()[::-1]
    if loop.keeper is not None:
        tasks.insert(0, loop.keeper)
    for generator in generators:
        _end_driver(generator.ag_await)
    for task in tasks:
        silence(task)
        _end_driver(task.get_coro())
        _close(task.get_coro())
    for generator in generators:
        _close_generator(generator)
    loop.prune()
    loop.generators.clear()
    loop.forget_tasks()
    loop.ready.clear()


def _end_driver(awaited: Any) -> None:
    """End the generator that this coroutine waits for, if it waits for one."""
    while isinstance(awaited, CoroutineType):
        awaited = awaited.cr_await
    if type(awaited).__name__ in _DRIVERS:
        _exhaust(awaited)


def _close_generator(generator: Any) -> None:
    if not generator.ag_running:
        _exhaust(generator.aclose())
    elif hasattr(generator.ag_await, "close"):  # its driver is lost: it will be let go as it stands
        _close(generator.ag_await)


def _exhaust(driver: Any) -> None:
    for _ in range(_TRIES):
        try:
            driver.throw(GeneratorExit)
        except BaseException:  # noqa: BLE001 - ended, one way or the other
            return
    _stubborn.append(driver)


def _close(closable: Any) -> None:
    for _ in range(_TRIES):
        try:
            closable.close()
        except RuntimeError:  # it awaited again, or raised a RuntimeError of its own and is closed now
            continue
        except BaseException:  # noqa: BLE001 - nobody wants to know any more
            return
        return
    _stubborn.append(closable)
