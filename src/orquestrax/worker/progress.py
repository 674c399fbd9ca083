"""`progress()` and `heartbeat()`: how a body tells that it lives, how far it is, and where to go on.

Both are cheap enough for a tight loop: the latest call wins, and at most two of a second leave the process.
"""

from __future__ import annotations

import math
from typing import Any, Final

from orquestrax.base.codec.codec import ANY
from orquestrax.base.errors import InvalidInput, NotInWorkflow, PayloadTooLarge
from orquestrax.base.logs import origin
from orquestrax.replay.context import current
from orquestrax.worker.attempt import Attempt
from orquestrax.worker.info import Informed
from orquestrax.worker.pulse import Told

LONGEST_NOTE: Final = 500  # characters
MOST_DETAILS: Final = 10_000  # bytes of JSON


def progress(done: float, total: float | None = None, note: str = "") -> None:
    """Say how far this step is: shown live on the dashboard, part of no history. It counts as a heartbeat.

        for number, page in enumerate(pages):
            ox.progress(number, len(pages), f"page {page.name}")

    done   how much is done, in whatever unit
    total  how much there is in all; None if nobody knows
    note   what it is doing, at most 500 characters

    Where no node runs the code as a step, as in a unit test, it does nothing. Errors: NotInWorkflow in the code of a
    workflow, InvalidInput for what is no number.
    """
    _tell(
        "progress",
        Told(_number("done", done), None if total is None else _number("total", total), _text(note)),
    )


def heartbeat(details: Any = None) -> None:
    """Say that this step is alive (see `heartbeat_timeout`), and where another attempt is to go on.

        start = ox.step_info().heartbeat or 0
        for number in range(start, len(rows)):
            load(rows[number])
            ox.heartbeat(number + 1)

    details  anything that JSON can hold, at most 10 kB; the next attempt finds it in `step_info().heartbeat`

    Where no node runs the code as a step, as in a unit test, it does nothing. Errors: NotInWorkflow in the code of a
    workflow, PayloadError for details that JSON cannot hold, PayloadTooLarge.
    """
    encoded = None if details is None else ANY.encode(details)
    if encoded is not None and len(encoded) > MOST_DETAILS:
        raise PayloadTooLarge(
            f"heartbeat(…): its details have {len(encoded):,} bytes as JSON, {MOST_DETAILS:,} are allowed: "
            "say where to go on, and keep data elsewhere"
        )
    _tell("heartbeat", Told(details=encoded))


def _tell(name: str, told: Told) -> None:
    source = origin.get()
    if isinstance(source, Attempt | Informed):
        source.say(told)
    elif current() is not None:
        raise NotInWorkflow(f"{name}(…) is for the body of a step: a workflow is where its history says")


def _number(what: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput(f"progress(…): {what}={value!r} is no number that a bar could show")
    return number


def _text(note: Any) -> str:
    """What can be stored of a note, whatever it is: it is no reason for a step to fail."""
    text = str(note).replace("\0", "").encode(errors="replace").decode()
    return text if len(text) <= LONGEST_NOTE else f"{text[: LONGEST_NOTE - 1]}…"
