"""Slots that are promised to steps between the turn that asked for them and its commit."""

from __future__ import annotations

from collections import Counter

from orquestrax.model.jobs import BodyKey
from orquestrax.model.options import Executor, StepOptions


class Promises:
    """By body, and counted by executor and by queue."""

    __slots__ = ("_of", "executors", "queues")

    def __init__(self) -> None:
        self._of: dict[BodyKey, StepOptions] = {}
        self.executors: Counter[Executor] = Counter()
        self.queues: Counter[str] = Counter()

    def make(self, key: BodyKey, options: StepOptions) -> None:
        """This body will start here."""
        if key not in self._of:
            self._of[key] = options
            self.executors[options.executor] += 1
            self.queues[options.queue] += 1

    def end(self, key: BodyKey) -> None:
        """It starts, or does not any more."""
        options = self._of.pop(key, None)
        if options is not None:
            self.executors[options.executor] -= 1
            self.queues[options.queue] -= 1

    def __len__(self) -> int:
        return len(self._of)
