"""The steps of one instance that are in the cluster's queues. Instances without any have no such object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orquestrax.core.changes import changes_of
from orquestrax.model.commands import Command, RunStep
from orquestrax.model.rows import Write
from orquestrax.model.tasks import NewTask


@dataclass(slots=True)
class Queued:
    """What is there, and what the next write changes of it.

    commands   those that are in a queue, or run on the node that took them
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
