"""How long bodies take here, and so how soon a step that waits for a slot of this node would start."""

from __future__ import annotations

import math
from typing import Final

from orquestrax.model.jobs import Outcome
from orquestrax.model.options import Executor

SMOOTH: Final = 0.1  # the weight of the newest body
LEAST: Final = 0.0002  # seconds that a body costs this process at least, however many slots there are


class Tempo:
    """By executor, the mean of the latest bodies in seconds. What runs now may take longer: it is an estimate."""

    __slots__ = ("_means",)

    def __init__(self) -> None:
        self._means: dict[Executor, float] = {}

    def ended(self, executor: Executor, outcome: Outcome) -> None:
        """A body has ended."""
        seconds = (outcome.ended_at - outcome.started_at) / 1_000_000
        mean = self._means.get(executor, seconds)
        self._means[executor] = mean + SMOOTH * (seconds - mean)

    def wait(self, executor: Executor, bodies: int, slots: int) -> float:
        """Seconds until so many bodies have ended; infinite where none has ended yet."""
        mean = self._means.get(executor)
        if mean is None or not slots:
            return math.inf
        return bodies * max(mean / slots, LEAST)
