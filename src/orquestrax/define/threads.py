"""Threads that workflow code starts: a step called there would run outside of the workflow, unrecorded.

No thread knows who started it, so `threading.Thread.start` is wrapped, once per process, when the first workflow is
declared. It starts threads as ever; those that workflow code starts keep the name of its instance.
"""

from __future__ import annotations

import threading
from functools import wraps
from typing import Any, Final

from orquestrax.base.errors import ForbiddenInWorkflow
from orquestrax.replay.context import current

_STARTED_BY: Final = "_orquestrax_started_by"


def install() -> None:
    """Take effect. Repeated calls change nothing."""
    original: Any = threading.Thread.start
    if hasattr(original, _STARTED_BY):
        return

    @wraps(original)
    def start(self: threading.Thread) -> None:
        replay = current()
        if replay is not None:
            setattr(self, _STARTED_BY, replay.identity.id)
        original(self)

    setattr(start, _STARTED_BY, None)
    threading.Thread.start = start  # type: ignore[method-assign]


def require_own_thread(step: str) -> None:
    """ForbiddenInWorkflow in a thread that workflow code has started."""
    starter = getattr(threading.current_thread(), _STARTED_BY, None)
    if starter is not None:
        raise ForbiddenInWorkflow(
            f"step {step} was called in a thread that the code of workflow {starter!r} has started, where nothing is "
            "recorded: call it in the workflow itself, several at a time by `asyncio.gather`"
        )
