"""Closing everything of an instance without a sound and without an effect.

The loop's `closed` flag is up by then, so commands, timers, tasks, logs and warnings of `finally` blocks lead
nowhere. A coroutine that awaits again while it is closed is closed again; one that will not end is kept for
ever, since letting go of it would print. Tasks go in the reverse order of their making: children first.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from orquestrax.replay.loop import Loop
from orquestrax.replay.tasks import silence

_TRIES: Final = 1000
_stubborn: Final[list[Any]] = []


def evict(loop: Loop) -> None:
    """Close all tasks and generators; to be called as the running loop."""
    tasks = loop.unfinished()
    if loop.keeper is not None:
        tasks.append(loop.keeper)
    for task in reversed(tasks):
        silence(task)
        _close(task.get_coro())
    loop.prune()
    for generator in reversed(loop.generators):
        _close_generator(generator)
    loop.generators.clear()
    loop.forget_tasks()
    loop.ready.clear()


def _close(coroutine: Any) -> None:
    for _ in range(_TRIES):
        try:
            coroutine.close()
        except RuntimeError:  # it awaited again, or raised a RuntimeError of its own and is closed now
            continue
        except BaseException:  # noqa: BLE001 - nobody wants to know any more
            return
        return
    _stubborn.append(coroutine)


def _close_generator(generator: AsyncGenerator[Any, Any]) -> None:
    for _ in range(_TRIES):
        try:
            generator.aclose().send(None)
        except BaseException:  # noqa: BLE001 - closed, one way or the other
            return
    _stubborn.append(generator)
