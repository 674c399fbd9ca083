"""How statuses look: an icon, a word and a tone, always all three."""

from __future__ import annotations

from typing import Final, NamedTuple

from orquestrax.model.states import TERMINAL


class Look(NamedTuple):
    """`icon` is a symbol of icons.svg, `tone` a class of the stylesheet, `mark` the character for titles."""

    word: str
    icon: str
    tone: str
    mark: str


STATUSES: Final[dict[str, Look]] = {
    "pending": Look("pending", "dash", "idle", "\N{EN DASH}"),
    "running": Look("running", "play", "running", "▶"),
    "waiting": Look("waiting", "pause", "waiting", "⏸"),
    "paused": Look("paused", "bars", "waiting", "‖"),
    "blocked": Look("blocked", "block", "failed", "⛔"),
    "failed": Look("failed", "cross", "failed", "✗"),
    "completed": Look("completed", "check", "completed", "✓"),
    "cancelled": Look("cancelled", "dash", "idle", "\N{EN DASH}"),
    "terminated": Look("terminated", "stop", "failed", "■"),
}

STEPS: Final[dict[str, Look]] = {
    "running": STATUSES["running"],
    "completed": STATUSES["completed"],
    "failed": STATUSES["failed"],
    "cancelled": STATUSES["cancelled"],
    "retrying": Look("retrying", "again", "retrying", "↻"),
    "scheduled": Look("scheduled", "clock", "scheduled", "◷"),
    "waiting": STATUSES["waiting"],
}


def has_ended(status: str) -> bool:
    """Whether nothing follows."""
    return status in TERMINAL
