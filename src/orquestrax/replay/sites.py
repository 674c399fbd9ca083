"""Which line of the user's code asked for something, and where it waits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from types import CodeType, CoroutineType, FrameType
from typing import Any, Final

from orquestrax.replay.plain import DRIVE, behind

_REPLAY: Final = os.path.dirname(__file__)  # noqa: PTH120 - compared with co_filename as text
_OURS: Final = (
    _REPLAY + os.sep,
    os.path.join(os.path.dirname(_REPLAY), "define") + os.sep,  # noqa: PTH118, PTH120
    os.path.dirname(asyncio.__file__) + os.sep,  # noqa: PTH120
    contextlib.__file__,
)

Site = tuple[str | None, int | None]
NOWHERE: Final[Site] = (None, None)


def caller(outermost: CodeType) -> Site:
    """File and line of the nearest user code on the stack; nothing if `outermost` comes first."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.currentframe, without its cost
    while frame is not None:
        code = frame.f_code
        if code is outermost:
            return NOWHERE
        if code is DRIVE:  # it awaits in place of plain code
            return _nearest(behind(frame)[::-1])
        if not code.co_filename.startswith(_OURS):
            return code.co_filename, frame.f_lineno
        frame = frame.f_back
    return NOWHERE


def waiting(coroutine: Any) -> Site:
    """Where a suspended coroutine waits: its deepest line in the file of the user's function."""
    home: str | None = None
    line: int | None = None
    for frame in _frames(coroutine):
        file = frame.f_code.co_filename
        if home is None and not file.startswith(_OURS):
            home = file
        if file == home:
            line = frame.f_lineno
    return home, line


def _frames(coroutine: Any) -> Iterator[FrameType]:
    """The frames of a suspended coroutine and of what it awaits, outermost first."""
    inner = coroutine
    while isinstance(inner, CoroutineType) and inner.cr_frame is not None:
        yield inner.cr_frame
        if inner.cr_code is DRIVE:
            yield from behind(inner.cr_frame)
        inner = inner.cr_await


def _nearest(frames: list[FrameType]) -> Site:
    for frame in frames:
        if not frame.f_code.co_filename.startswith(_OURS):
            return frame.f_code.co_filename, frame.f_lineno
    return NOWHERE
