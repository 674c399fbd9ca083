"""No logs, prints and warnings from code that replays, as they were given when it ran, or that was evicted.

Loggers do not pass their children's records through their own filters, and handlers are the user's; the one
place that all records pass is `Logger.handle`. Warnings pass `warnings._showwarnmsg`, and coroutines that were
never awaited `warnings._warn_unawaited_coroutine`. These and `print` are wrapped, once per process, when the
first workflow runs; what does not come from the code of a silent instance passes untouched. Which instance a
record belongs to is said through `base.logs.origin`, in the instance's own context.
"""

from __future__ import annotations

import builtins
import logging
import warnings
from asyncio import _get_running_loop
from collections.abc import Callable
from functools import wraps
from typing import Any

from orquestrax.replay.loop import Loop

_MARK = "hushed_in_replay"


def silent() -> bool:
    """Whether the code that is running now replays, or was evicted."""
    loop = _get_running_loop()
    return isinstance(loop, Loop) and loop.silent


def install() -> None:
    """Take effect. Repeated calls change nothing."""
    if not hasattr(logging.Logger.handle, _MARK):
        logging.Logger.handle = _unless_silent(logging.Logger.handle)  # type: ignore[method-assign]
        builtins.print = _unless_silent(builtins.print)
        for reporter in ("_warn_unawaited_coroutine", "_showwarnmsg"):  # private, so they may be gone one day
            if hasattr(warnings, reporter):
                setattr(warnings, reporter, _unless_silent(getattr(warnings, reporter)))


def _unless_silent(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def passing(*args: Any, **kwargs: Any) -> None:
        if not silent():
            original(*args, **kwargs)

    setattr(passing, _MARK, True)
    return passing
