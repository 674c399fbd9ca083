"""Slots that are promised to steps between the turn that asked for them and its commit."""

from __future__ import annotations

from collections import Counter

from orquestrax.model.jobs import BodyKey
from orquestrax.model.options import Executor, StepOptions


class Promises:
    """`of` bodies, by key; and counted by executor and by queue."""

    __slots__ = ("executors", "of", "queues")

    def __init__(self) -> None:
        self.of: dict[BodyKey, StepOptions] = {}
        self.executors: Counter[Executor] = Counter()
        self.queues: Counter[str] = Counter()

    def make(self, key: BodyKey, options: StepOptions) -> None:
        """This body will start here."""
        if key not in self.of:
            self.of[key] = options
            self.executors[options.executor] += 1
            self.queues[options.queue] += 1

    def end(self, key: BodyKey) -> None:
        """It starts, or does not any more."""
        options = self.of.pop(key, None)
        if options is not None:
            self.executors[options.executor] -= 1
            self.queues[options.queue] -= 1
