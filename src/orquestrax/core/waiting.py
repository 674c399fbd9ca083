"""Jobs that wait for a slot, in order. A queue that is limited here has a line of its own: it holds up no other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from orquestrax.model.jobs import BodyKey, Job
from orquestrax.model.options import EXECUTORS, Executor


class Room(Protocol):
    """Where slots are counted."""

    def has_slot(self, executor: Executor, /) -> bool:
        """Whether one more body of this kind may start."""

    def places(self, queue: str, /) -> int | None:
        """How many more bodies of this queue may start now; None if it has no limit here."""


class Waiting:
    """Lines of jobs, by executor and limited queue ("" for all others).

    `counts` says how many by executor, and `own` how many of those were not taken from the cluster's queues.
    """

    def __init__(self, limited: Collection[str] = ()) -> None:
        self._limited = frozenset(limited)
        self._lines: dict[Executor, dict[str, OrderedDict[BodyKey, Job]]] = {each: {} for each in EXECUTORS}
        self.counts: dict[Executor, int] = dict.fromkeys(self._lines, 0)
        self.own: dict[Executor, int] = dict.fromkeys(self._lines, 0)

    def add(self, job: Job) -> None:
        """At the end of its line. This node's own keep their place and their attempt if they are asked for anew.

        After a pause several commits may ask for the same step, the last ones without knowing which attempt is due.
        """
        options = job.step.options
        queue = options.queue if options.queue in self._limited else ""
        line = self._lines[options.executor].setdefault(queue, OrderedDict())
        if (there := line.get(job.key)) is not None:
            if not (there.claimed or job.claimed):
                return
            self._left(options.executor, there)
        self.counts[options.executor] += 1
        self.own[options.executor] += not job.claimed
        line[job.key] = job

    def next(self, executor: Executor, room: Room) -> Job | None:
        """The first job that may start now; it leaves."""
        for queue, line in self._lines[executor].items():
            if line and (not queue or room.places(queue) != 0):
                return self._left(executor, line.popitem(last=False)[1])
        return None

    def remove(self, executor: Executor, key: BodyKey) -> Job | None:
        """This one leaves, if it is there."""
        for line in self._lines[executor].values():
            if key in line:
                return self._left(executor, line.pop(key))
        return None

    def _left(self, executor: Executor, job: Job) -> Job:
        self.counts[executor] -= 1
        self.own[executor] -= not job.claimed
        return job

    def remove_where(self, leaves: Callable[[Job], bool]) -> list[Job]:
        """Those leave of which it is so, in order."""
        found = [job for job in self if leaves(job)]
        for job in found:
            self.remove(job.step.options.executor, job.key)
        return found

    def of_queue(self, queue: str) -> int:
        """How many of a limited queue wait."""
        return sum(len(lines.get(queue, ())) for lines in self._lines.values())

    def __contains__(self, key: BodyKey) -> bool:
        return any(key in line for lines in self._lines.values() for line in lines.values())

    def __iter__(self) -> Iterator[Job]:
        return (job for lines in self._lines.values() for line in lines.values() for job in line.values())

    def __len__(self) -> int:
        return sum(self.counts.values())
