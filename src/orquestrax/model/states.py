"""The statuses of an instance.

pending ──▶ running ◀──▶ waiting          (an owner runs it, or it is parked until something is due)
              │  ▲
              │  ├──── blocked            (the code does not fit the history; fitting code resumes it)
              │  └──── paused             (nothing of it starts; somebody resumes it; also before it ever ran)
              ▼
completed · failed · cancelled · terminated        (terminal: nothing follows)
"""

from __future__ import annotations

from typing import Final, Literal

Status = Literal[
    "pending", "running", "waiting", "paused", "blocked", "completed", "failed", "cancelled", "terminated"
]

TERMINAL: Final = frozenset({"completed", "failed", "cancelled", "terminated"})

TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    "pending": frozenset({"running", "paused", "blocked", "cancelled", "terminated"}),
    "running": frozenset({"waiting", "paused", "blocked"}) | TERMINAL,
    "waiting": frozenset({"running", "paused", "blocked"}) | TERMINAL,
    "paused": frozenset({"pending", "running", "waiting", "blocked", "cancelled", "terminated"}),
    "blocked": frozenset({"running", "waiting", "cancelled", "terminated"}),
    **{status: frozenset[str]() for status in TERMINAL},
}


def is_legal(before: str, after: str) -> bool:
    """Whether an instance may go from one status to the other."""
    return before == after or after in TRANSITIONS[before]
