"""What happens to an instance in memory: an outcome, a timer, a message. Each becomes events of one turn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from orquestrax.core.delivery import step_ended, step_retrying
from orquestrax.core.endings import ORDERS
from orquestrax.core.execution import Effects, Execution
from orquestrax.core.pausing import conclude
from orquestrax.core.retries import RetryAt
from orquestrax.core.turns import Turns
from orquestrax.model import events
from orquestrax.model.commands import Command, RunStep, StartTimer
from orquestrax.model.jobs import Delivered, Errored, Job, Outcome, Succeeded
from orquestrax.model.rows import Message


class Happenings:
    """Called from plain callbacks: by the dispatcher, the timers and the claimer."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def outcome(self, job: Job, outcome: Outcome) -> bool:
        """An attempt of a step ended. False if the instance is not in memory: it may come back for it."""
        execution = self._turns.memory.executions.get(job.key.instance)
        if isinstance(outcome, Delivered):
            if execution is not None:
                # It comes by message, as those of the queues do: until then nobody begins it anew.
                execution.queued.commands.add(job.key.command)
            self._turns.on_mail()
            return True
        if execution is None:
            return False
        command = execution.replay.open.get(job.key.command)
        if execution.ended or command is None:
            return True
        try:
            self._apply_outcome(execution, command, job, outcome)
        except Exception as error:  # noqa: BLE001 - as `Turns.guarded`, without its cost on the hottest path
            self._turns.stop_at(execution, error)
        return True

    def _apply_outcome(
        self, execution: Execution, command: Command, job: Job, outcome: Succeeded | Errored
    ) -> None:
        now = outcome.ended_at  # it happened then, by the same clock
        value: Any = msgspec.UNSET
        if isinstance(outcome, Succeeded):
            type_, value = events.STEP_COMPLETED, outcome.value
            ended = step_ended(job, outcome, self._turns.node, msgspec.Raw(outcome.result))
        elif outcome.delay is None:
            type_ = events.STEP_FAILED
            ended = step_ended(job, outcome, self._turns.node, None, events.raw(outcome.error))
        else:
            self._retry_later(execution, job, outcome, now)
            self._turns.advance(execution, Effects([command]))
            return
        if execution.pause is None:
            execution.happened(type_, ended, now, value)
        else:
            conclude(execution, ended, now)
        self._turns.advance(execution, execution.turn(now))

    def _retry_later(self, execution: Execution, job: Job, outcome: Errored, now: int) -> None:
        retrying = step_retrying(job, outcome, self._turns.node)
        execution.retries[job.key.command] = RetryAt(retrying.due, job.attempt + 1, retrying.first_at)
        execution.happened(events.STEP_RETRYING, retrying, now)

    def long_step(self, job: Job, started_at: int) -> None:
        """A body has been running for a while: an event that says so, for people and for a successor."""
        execution = self._turns.memory.executions.get(job.key.instance)
        command = execution.replay.open.get(job.key.command) if execution is not None else None
        if execution is None or execution.ended or command is None:
            return
        told = execution.announced.get(job.key.command)
        if told is not None and (told.attempt, told.node) == (job.attempt, self._turns.node):
            return  # before it began
        started = events.StepStarted(
            job.key.command,
            job.step.name,
            job.attempt,
            self._turns.node,
            started_at,
            command.file,
            command.line,
        )
        execution.noted(events.STEP_STARTED, started, self._turns.clock.now())
        self._turns.advance(execution, Effects())

    def due(self, instance: UUID, number: int) -> None:
        execution = self._turns.memory.executions.get(instance)
        if execution is None or execution.ended or execution.releasing or execution.paused:
            return
        command = execution.replay.open.get(number)
        if not number:
            with self._turns.guarded(execution):
                self._turns.run_due(execution)
        elif isinstance(command, StartTimer):
            with self._turns.guarded(execution):
                execution.happened(events.TIMER_FIRED, events.TimerFired(number), self._turns.clock.now())
                self._turns.advance(execution, execution.turn(self._turns.clock.now()))
        elif isinstance(command, RunStep) and number in execution.retries:
            self._turns.acting.retry(execution, command)
            self._turns.advance(execution, Effects())

    def overflow(self) -> None:
        """Another node has begun to serve queues of this one: what waits for a slot here is for both."""
        for job in self._turns.acting.overflow():
            execution = self._turns.memory.executions.get(job.key.instance)
            command = execution.replay.open.get(job.key.command) if execution is not None else None
            if execution is None or execution.ended or not isinstance(command, RunStep):
                continue
            with self._turns.guarded(execution):
                execution.queued.put(command, job.attempt, job.first_at)
                self._turns.advance(execution, Effects())

    def mail(self, messages: Iterable[Message]) -> None:
        """Messages as read from the inbox, in order; those already read are skipped."""
        by_instance: dict[UUID, list[Message]] = {}
        for message in messages:
            by_instance.setdefault(message.instance, []).append(message)
        for key, batch in by_instance.items():
            execution = self._turns.memory.executions.get(key)
            new = [message for message in batch if execution and message.number > execution.read_mail]
            if execution is not None and new:
                with self._turns.guarded(execution):
                    self._read_new(execution, new)

    def _read_new(self, execution: Execution, new: list[Message]) -> None:
        execution.read_mail = new[-1].number
        if execution.ended:
            execution.leftovers += execution.unseen(new)
            if not execution.releasing:
                self._turns.write_end(execution)
            return
        now, paused = self._turns.clock.now(), execution.paused
        self.read(execution, new, now)
        effects = Effects() if execution.ended else execution.turn(now)
        if paused and not execution.paused:  # what was held back is to be done now
            effects.act = list(execution.replay.open.values())
        self._turns.advance(execution, effects)

    def read(self, execution: Execution, messages: Iterable[Message], now: int) -> None:
        """Move messages into the history, in order, each one once per sender's id; a pause holds back most of them."""
        for message in messages:
            if execution.pause is not None and message.kind not in ORDERS and not execution.ended:
                execution.pause.deferred.append(message)
                continue
            execution.consumed.append(message.number)
            for new in execution.unseen((message,)):
                self.read(execution, self._turns.take_in(execution, new, now), now)
