"""Workflow code logs with the standard library, and is silent while it replays.

Filters of loggers do not see their children's records and handlers are the user's, so the one place that all records
pass is `Logger.handle`. It is wrapped once per process, when the first workflow runs. A record made by the code of an
instance that is replaying or evicted goes no further; all others pass untouched. Which instance a record belongs to
is said through `base.logs.origin`, in the instance's own context.
"""

from __future__ import annotations

import logging
from asyncio import _get_running_loop
from functools import wraps

from orquestrax.replay.loop import Loop


def install() -> None:
    """Silence replays from now on. Repeated calls change nothing."""
    original = logging.Logger.handle
    if hasattr(original, "silences_replay"):
        return

    @wraps(original)
    def handle(self: logging.Logger, record: logging.LogRecord) -> None:
        loop = _get_running_loop()
        if not (isinstance(loop, Loop) and loop.silent):
            original(self, record)

    handle.silences_replay = True  # type: ignore[attr-defined]
    logging.Logger.handle = handle  # type: ignore[method-assign]
