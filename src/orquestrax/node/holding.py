"""Who holds a thread's event loop: found from another thread, by the stack and by what the loop was told to run."""

from __future__ import annotations

import asyncio
import linecache
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Final, NamedTuple

from orquestrax.define.checks import place
from orquestrax.define.modules import is_users
from orquestrax.replay.loop import Loop

_BODY: Final = re.compile(r"(?P<step>.+)#\d+@(?P<instance>.+)", re.DOTALL)  # see worker.attempt
_DEBUGGERS: Final = frozenset({"pdb", "bdb", "pydevd", "_pydevd_bundle", "debugpy"})
_ENTRY: Final = Loop.within.__code__


class Holder(NamedTuple):
    """Whose code does not give the loop back, where it is, and what would be better."""

    whose: str
    where: str
    instead: str

    def __str__(self) -> str:
        return f"{self.whose} holds it{self.where}; {self.instead}"


def holder(
    loop: asyncio.AbstractEventLoop, thread: int, loops: Callable[[], Iterable[Loop]]
) -> Holder | None:
    """What this loop's thread is doing now; None if somebody is debugging it.

    `loops` are those of the workflows in memory: plain `def` code runs on a stack of its own, which does not lead
    back to the loop.
    """
    frames = list(_stack(thread))
    if any(str(frame.f_globals.get("__name__")).partition(".")[0] in _DEBUGGERS for frame in frames):
        return None
    where = _where(frames)
    instance = _workflow(frames) or _plain(loops())
    if instance is not None:
        advice = "workflow code only decides: wait with asyncio.sleep, and compute in steps"
        return Holder(f"workflow code of instance {instance}", where, advice)
    task = asyncio.current_task(loop)
    body = _BODY.fullmatch(task.get_name()) if task is not None else None
    if body is not None:
        advice = "what blocks belongs in a plain `def` step, which runs in a thread"
        return Holder(f"step {body['step']} of instance {body['instance']}", where, advice)
    return Holder("code", where, "what blocks belongs in a thread")


def _stack(thread: int) -> Iterator[FrameType]:
    """The frames of a thread, innermost first."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - there is no public way to another thread's stack
    while frame is not None:
        yield frame
        frame = frame.f_back


def _where(frames: list[FrameType]) -> str:
    """The innermost line of users' code."""
    frame = next((each for each in frames if is_users(each.f_code.co_filename)), None)
    if frame is None:
        return ""
    file, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(file, line, frame.f_globals).strip()
    return f" at {place(file, line)}" + (f" (`{text}`)" if text else "")


def _workflow(frames: list[FrameType]) -> str | None:
    for frame in frames:
        if frame.f_code is _ENTRY:
            loop: Loop = frame.f_locals["self"]
            return loop.name
    return None


def _plain(loops: Iterable[Loop]) -> str | None:
    return next((loop.name for loop in loops if loop.plain is not None), None)
