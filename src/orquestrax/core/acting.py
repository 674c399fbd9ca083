"""What a turn wants done in the world: bodies start and stop, timers are armed. All of it after the commit."""

from __future__ import annotations

from collections.abc import Callable

from orquestrax.base.clock import DatabaseClock
from orquestrax.core.dispatcher import Dispatcher
from orquestrax.core.execution import Effects, Execution
from orquestrax.core.once import (
    announce,
    begins_here,
    begun,
    interrupt,
    is_announced,
    waits_to_be_announced,
)
from orquestrax.core.retries import RetryAt
from orquestrax.core.timers import Timers
from orquestrax.model.commands import RunStep, StartTimer
from orquestrax.model.jobs import BodyKey, Job


class Acting:
    """Called by `Turns` alone. `advance` is its own: what must be written before a body may start goes there.

    `peers` says whether any step may have to go to another node.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        timers: Timers,
        clock: DatabaseClock,
        advance: Callable[[Execution, Effects], None],
    ) -> None:
        self._dispatcher, self._timers, self._clock = dispatcher, timers, clock
        self._advance = advance
        self.peers = dispatcher.peers
        self.draining = False

    def act(self, execution: Execution, effects: Effects) -> None:
        """Do it; code that ran ahead may have changed its mind, and of what stands still nothing starts."""
        if effects.stop:
            self.stop(execution, effects)
        if execution.ended or execution.releasing:
            return
        if self.draining or execution.pause is not None:
            self._go_through_with(execution, effects)
            return
        if execution.deadline is not None or execution.again_at is not None:
            self._arm_run(execution)
        still_open, queued = execution.replay.open, execution.queue and execution.queue.commands
        for command in effects.act:
            if command.number not in still_open or (queued and command.number in queued):
                continue
            if isinstance(command, RunStep):
                if execution.retries and (retry := execution.retries.get(command.number)) is not None:
                    self._timers.arm(retry.due, execution.key, command.number)
                else:
                    self.dispatch(execution, command)
            elif isinstance(command, StartTimer):
                self._timers.arm(command.due, execution.key, command.number)

    def place(self, execution: Execution, effects: Effects) -> None:
        """Of the steps that a turn asks for, hand those to the cluster's queues that do not run here."""
        still_open, queue = execution.replay.open, execution.queue
        for command in effects.act:
            number = command.number
            if not isinstance(command, RunStep) or number not in still_open or number in execution.retries:
                continue
            if (queue is None or number not in queue.commands) and not self._takes(execution, command):
                execution.queued.put(command, 1, None)
                queue = execution.queue

    def _takes(self, execution: Execution, command: RunStep) -> bool:
        options = command.step.options
        if (options.at_most_once or execution.trial is not None) and begins_here(execution, command):
            return True  # it has been written down that it begins here
        return self._dispatcher.takes(BodyKey(execution.key, command.number), options)

    def retry(self, execution: Execution, command: RunStep) -> None:
        """The next attempt of a step is due: here, or wherever there is room."""
        retry = execution.retries[command.number]
        if self.peers.spreads and not self._takes(execution, command):
            del execution.retries[command.number]
            execution.queued.put(command, retry.attempt, retry.first_at)
        else:
            self.dispatch(execution, command)

    def overflow(self) -> list[Job]:
        """Jobs that wait for a slot here and could go elsewhere; they leave."""
        return self._dispatcher.overflow()

    def dispatch(self, execution: Execution, command: RunStep) -> None:
        """Hand an attempt over to be run; of some it is written down first that they begin (see `once`, `trial`)."""
        retry = execution.retries.get(command.number) if execution.retries else None
        special = command.step.options.at_most_once or execution.trial is not None
        if special and waits_to_be_announced(execution, command):
            if not self._dispatcher.closed:
                announce(execution, command, self._clock.now())
                self._advance(execution, Effects([command]))
            return
        if retry is not None:
            del execution.retries[command.number]
        self._dispatcher.dispatch(
            Job(
                key=BodyKey(execution.key, command.number),
                instance_id=execution.id,
                definition=execution.workflow.name,
                attempt=retry.attempt if retry else 1,
                step=command.step,
                arguments=command.arguments,
                decoded=None if retry else command.decoded,
                asked_at=command.asked_at,
                first_at=retry.first_at if retry else None,
            )
        )

    def _go_through_with(self, execution: Execution, effects: Effects) -> None:
        """Of an instance that stands still: at-most-once attempts that have been written down as begun."""
        for command in begun(execution):
            if command in effects.act:
                self.dispatch(execution, command)

    def hold(self, execution: Execution) -> bool:
        """Nothing of it that has not begun starts here any more; returns whether something of it still runs."""
        self.release(execution)
        for job in self._dispatcher.hold(execution.key):
            self._put_off(execution, job)
        kept = execution.pause.kept if execution.pause is not None else ()
        queued = execution.told_by_message
        return any(
            self._dispatcher.knows(BodyKey(execution.key, number))
            or (command.step.options.at_most_once and is_announced(execution, command))
            for number, command in execution.replay.open.items()
            if isinstance(command, RunStep) and number not in kept and number not in queued
        )

    def _put_off(self, execution: Execution, job: Job) -> None:
        """A further attempt that waited for a slot is due, as it was: else the first one would be run again."""
        if job.first_at is not None and job.key.command in execution.replay.open:
            execution.retries[job.key.command] = RetryAt(self._clock.now(), job.attempt, job.first_at)

    def drain(self) -> None:
        """This node starts nothing more."""
        self.draining = True
        self._dispatcher.close()

    def interrupt(self, execution: Execution, now: int) -> None:
        """At-most-once steps that were begun and are not known here any more fail; they are not run again."""
        for command in begun(execution):
            lost = not self._dispatcher.knows(BodyKey(execution.key, command.number))
            if lost and command.number in execution.replay.open:
                interrupt(execution, command, now)

    def stop(self, execution: Execution, effects: Effects) -> None:
        """Tell the bodies to stop that the code no longer waits for."""
        for step in effects.stop:
            self._dispatcher.cancel(execution.key, step.number, step.step.options.executor)

    def stop_all(self, execution: Execution) -> None:
        """Tell all bodies of the instance to stop."""
        for command in list(execution.replay.open.values()):
            if isinstance(command, RunStep):
                self._dispatcher.cancel(execution.key, command.number, command.step.options.executor)

    def release(self, execution: Execution) -> None:
        """The instance leaves memory: no slot is kept for its steps."""
        self._dispatcher.release(execution.key, execution.replay.open)

    def forget(self, execution: Execution) -> None:
        """The instance is not this node's any more: its bodies stop, and nothing of it is kept for later.

        Not those that were taken from a queue: their outcomes find the instance wherever it is.
        """
        queued = execution.told_by_message
        for command in list(execution.replay.open.values()):
            if isinstance(command, RunStep) and command.number not in queued:
                self._dispatcher.cancel(execution.key, command.number, command.step.options.executor)
        self._dispatcher.forget(execution.key)

    def _arm_run(self, execution: Execution) -> None:
        """The timer of the whole run, under the number 0, which no command has."""
        due = min(moment for moment in (execution.deadline, execution.again_at) if moment is not None)
        if execution.armed != due:
            execution.armed = due
            self._timers.arm(due, execution.key, 0)
