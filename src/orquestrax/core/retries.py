"""When a step that failed is tried again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RetryAt:
    """A step's next attempt: when it is due, its number, and when the first one began."""

    due: int
    attempt: int
    first_at: int
