"""The steps of one instance whose outcomes come by message: those in the cluster's queues, and transactional ones.

Instances without any have no such object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from orquestrax.core.changes import changes_of
from orquestrax.model.commands import Command, RunStep
from orquestrax.model.options import StepOptions
from orquestrax.model.rows import Write
from orquestrax.model.tasks import Expiry, NewTask


@dataclass(slots=True)
class Queued:
    """What is there, and what the next write changes of it.

    commands   those that are in a queue, run on the node that took them, or have a result in the inbox
    new        tasks to be inserted
    withdrawn  commands whose tasks are to be deleted
    again      steps whose next attempt is to be arranged: their worker has told that the last one failed
    """

    commands: set[int] = field(default_factory=set)
    new: list[NewTask] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)
    again: list[Command] = field(default_factory=list)

    def put(self, command: RunStep, attempt: int, first_at: int | None) -> None:
        """Hand this attempt to the cluster."""
        options = command.step.options
        expires_at, expiry = _expiry(options, command.asked_at, first_at)
        self.commands.add(command.number)
        self.new.append(
            NewTask(
                command=command.number,
                step=command.name,
                queue=options.queue,
                executor=options.executor,
                attempt=attempt,
                asked_at=command.asked_at,
                first_at=first_at,
                once=options.at_most_once,
                input=command.arguments,
                options=changes_of(command.step),
                expires_at=expires_at,
                expiry=expiry,
            )
        )

    def withdraw(self, stopped: Iterable[RunStep]) -> None:
        """The workflow no longer waits for these."""
        for command in stopped:
            if command.number in self.commands:
                self.commands.discard(command.number)
                self.withdrawn.append(command.number)

    def take(self) -> tuple[Sequence[NewTask], Sequence[int]]:
        """What the next write carries: tasks to insert, commands to withdraw."""
        new, withdrawn = self.new, self.withdrawn
        self.new, self.withdrawn = [], []
        return new, withdrawn

    def join(self, write: Write) -> None:
        """Let all of that be part of a write that waits already."""
        new, withdrawn = self.take()
        write.tasks, write.withdrawn = [*write.tasks, *new], [*write.withdrawn, *withdrawn]

    def take_again(self) -> list[Command]:
        """Steps whose next attempt is to be arranged now."""
        again, self.again = self.again, []
        return again


def _expiry(options: StepOptions, asked_at: int, first_at: int | None) -> tuple[int | None, str | None]:
    """By when an attempt must have started, and why: as `worker.limits` has it for those that wait in memory."""
    limits = [("total_timeout", options.total_timeout)]
    if first_at is None:
        limits.append(("queue_timeout", options.queue_timeout))
    found = [(seconds, option) for option, seconds in limits if seconds is not None]
    if not found:
        return None, None
    seconds, option = min(found)
    return asked_at + round(seconds * 1_000_000), msgspec.json.encode(Expiry(option, seconds)).decode()
