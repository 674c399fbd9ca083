"""Closing everything of an instance without a sound and without an effect.

The loop's `closed` flag is up by then, so commands, timers, tasks, logs and warnings of `finally` blocks lead
nowhere. Tasks go in the reverse order of their making: children first. Within a task the innermost of what awaits
goes first: closed from outside, a coroutine that awaits again in its cleanup would be dropped as it stands, and
say so. What awaits again is closed again; what will not end is kept for ever, as letting go of it would print.
Asynchronous generators that nobody awaits are let go as they stand: their finalizer is the loop's.
"""

from __future__ import annotations

import gc
from types import AsyncGeneratorType, CoroutineType
from typing import Any, Final

from orquestrax.replay.loop import Loop

_TRIES: Final = 1000
# What drives an asynchronous generator, and alone may close it while it awaits. Python has no names for these.
_DRIVERS: Final = frozenset({"async_generator_asend", "async_generator_athrow", "anext_awaitable"})
_stubborn: Final[list[Any]] = []


def evict(loop: Loop) -> None:
    """Close all tasks; to be called as the running loop."""
    tasks = loop.unfinished()[::-1]
    if loop.keeper is not None:
        tasks.insert(0, loop.keeper)
    for task in tasks:
        _close(task.get_coro())
    loop.prune()
    loop.generators.clear()
    loop.forget_tasks()
    loop.ready.clear()


def _close(outermost: Any) -> None:
    for _ in range(_TRIES):
        if all(_end(each) for each in _inmost_first(outermost)):
            return
    _stubborn.append(outermost)


def _inmost_first(outermost: Any) -> list[Any]:
    """This, and what it awaits down to the future at the end, which is left out."""
    chain, inner = [outermost], _awaited_by(outermost)
    while isinstance(inner, CoroutineType) or _is_driver(inner):
        chain.append(inner)
        inner = _awaited_by(inner)
    return chain[::-1]


def _awaited_by(outer: Any) -> Any:
    if isinstance(outer, CoroutineType):
        return outer.cr_await
    if _is_driver(outer):
        for referent in gc.get_referents(outer):
            if isinstance(referent, AsyncGeneratorType):
                return referent.ag_await
            if _is_driver(referent):
                return referent
    return None


def _is_driver(awaited: Any) -> bool:
    return type(awaited).__name__ in _DRIVERS


def _end(awaited: Any) -> bool:
    """Close it; False if it awaits again."""
    try:
        if _is_driver(awaited):
            awaited.throw(GeneratorExit)
            return False
        awaited.close()
    except BaseException:  # noqa: BLE001 - an effect that nobody wants any more
        return getattr(awaited, "cr_frame", None) is None
    return True
