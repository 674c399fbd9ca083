"""The orchestrator: from a claimed or started instance to its end.

    start, claim ─▶ turn (replay) ─▶ journal ─▶ act: dispatch steps, arm timers
                     ▲                                   │
                     └── outcome, timer, message ◀───────┘

Invariants. Everything here runs in plain callbacks of the node's loop, never inside a Task: workflow code must not
run there. Workflow code may run ahead of a commit, because it is pure; effects wait for it. After the verdict LOST
or FAULT the instance leaves this memory, and whoever owns it rebuilds it from its history.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import msgspec

from orquestrax.base import faultpoint
from orquestrax.base.clock import DatabaseClock
from orquestrax.base.codec import encode_error
from orquestrax.base.errors import OrquestraxError
from orquestrax.core.dispatcher import Dispatcher, Runner
from orquestrax.core.endings import block_of, blocked, ended, unrun
from orquestrax.core.execution import Effects, Execution, RetryAt
from orquestrax.core.journal import Journal
from orquestrax.core.timers import Timers
from orquestrax.define.workflow import Workflow
from orquestrax.model import events
from orquestrax.model.commands import Command, RunStep, StartTimer
from orquestrax.model.jobs import BodyKey, Errored, Job, Outcome, Succeeded
from orquestrax.model.rows import History, InstanceRow, Message, NewInstance, Verdict, Write
from orquestrax.replay.instance import Identity, Replay

log = logging.getLogger(__name__)
ORDERS: Final = ("cancel", "terminate")
HISTORY_LIMIT: Final = 200_000  # events
Ending = tuple[str, bytes | None, bytes | None] | None


class Orchestrator:
    """Owns the instances that this node holds in memory.

    on_changed(key)        after a commit that others may want to see
    on_left(key, ending)   an instance left this memory: with its status, result and error, or None if it goes on
    on_evicted(key)        a row that is still mine, or may be, is not in memory
    on_mail()              there is mail that has not been read
    """

    def __init__(
        self,
        *,
        node: str,
        workflows: Mapping[str, Workflow],
        clock: DatabaseClock,
        journal: Journal,
        runner: Runner,
        park_after: float = 30.0,
        on_changed: Callable[[UUID], None] = lambda _key: None,
        on_left: Callable[[UUID, Ending], None] = lambda _key, _ending: None,
        on_mail: Callable[[], None] = lambda: None,
        on_evicted: Callable[[UUID], None] = lambda _key: None,
    ) -> None:
        self.node, self.workflows, self.clock, self.journal = node, workflows, clock, journal
        self.executions: dict[UUID, Execution] = {}
        self.dispatcher = Dispatcher(runner, clock, self.outcome)
        self.timers = Timers(clock, self._due)
        self._park_after = int(park_after * 1_000_000)
        self._on_changed, self._on_left = on_changed, on_left
        self._on_mail, self._on_evicted = on_mail, on_evicted
        self.history_limit = HISTORY_LIMIT
        self._moved, self._watched = set[UUID](), False

    @contextmanager
    def _guarded(self, execution: Execution) -> Iterator[None]:
        """A fault of the engine itself in one turn stops that instance, visibly, and no other."""
        try:
            yield
        except Exception as error:
            log.exception("instance %s cannot go on here", execution.id)
            self._block(execution, error)

    # -- how instances come into this memory ---------------------------------------------------------------------

    def start(self, new: NewInstance, told: Callable[[Verdict], None]) -> None:
        """The local-first start: the instance is inserted as mine and running, together with its first turn."""
        now = self.clock.now()
        try:
            execution = self._execution(new.key, new.id, self.workflows[new.definition], now, new.input)
            self.executions[new.key] = execution
            execution.replay.start()
            self._advance(execution, execution.turn(now), start=new, told=told)
        except Exception:
            log.exception("the start of %s failed here", new.id)
            self.executions.pop(new.key, None)
            told(Verdict.FAULT)

    def adopt(self, row: InstanceRow, history: History) -> None:
        """A claimed instance: rebuild it from its history and go on, or end it by an order that runs no code."""
        if row.key in self.executions:
            return
        orders = {message.kind for message in history.messages} & set(ORDERS)
        if "terminate" in orders or ("cancel" in orders and row.never_started):
            self._end_unrun(row, history, events.TERMINATED if "terminate" in orders else events.CANCELLED)
            return
        workflow = self.workflows.get(row.definition)
        try:
            if workflow is None:
                raise OrquestraxError(f"no code for the definition {row.definition!r} is here")
            execution = self._execution(row.key, row.id, workflow, row.started_at, row.input.encode())
            execution.status, execution.read_mail = row.status, row.mail
            execution.restore(history.events)
        except (OrquestraxError, ValueError, TypeError) as error:
            self._refused(row, history, error)
            return
        execution.read_mail = max(row.mail, *(message.number for message in history.messages), 0)
        with self._guarded(execution):
            self._resume(execution, row, history)

    def _resume(self, execution: Execution, row: InstanceRow, history: History) -> None:
        """After the replay: attach to what runs, start what does not, read the mail."""
        self.executions[row.key] = execution
        now = self.clock.now()
        if row.lost_owner is not None:
            taken = events.TakenOver(dead=str(row.lost_owner), node=self.node)
            execution.happened(events.TAKEN_OVER, taken, now)
        self._read(execution, history.messages, now)
        effects = execution.turn(now)
        effects.act = [c for c in execution.replay.open.values() if c.number not in history.queued]
        self._advance(execution, effects)

    def _execution(self, key: UUID, id_: str, workflow: Workflow, started_at: int, arguments: bytes) -> Execution:
        identity = Identity(id=id_, key=key, definition=workflow.name, version=workflow.version, started_at=started_at)
        replay = Replay(
            identity,
            workflow.main(arguments),
            encode_result=workflow.signature.result.encode,
            encode_error=encode_error,
        )
        return Execution(key=key, id=id_, workflow=workflow, replay=replay, node=self.node, last_at=started_at)

    def _end_unrun(self, row: InstanceRow, history: History, type_: str) -> None:
        """End an instance without running its code: terminated, or cancelled before it ever ran."""

        def done(_write: Write, verdict: Verdict) -> None:
            if verdict is Verdict.COMMITTED:
                self._on_changed(row.key)
            else:
                self._on_evicted(row.key)

        self.journal.submit(unrun(row, history, type_, node=self.node, now=self.clock.now(), done=done))

    def _refused(self, row: InstanceRow, history: History, error: Exception) -> None:
        """The code here does not fit the history: the instance is parked as blocked, with both sides."""
        if any(message.kind == "cancel" for message in history.messages):
            self._end_unrun(row, history, events.CANCELLED)
            return
        log.warning("instance %s is blocked: %s", row.id, error)
        workflow = self.workflows.get(row.definition)

        def done(_write: Write, verdict: Verdict) -> None:
            if verdict is Verdict.COMMITTED:
                self._on_changed(row.key)
            else:
                self._on_evicted(row.key)

        self.journal.submit(blocked(row, history, error, digest=workflow.digest if workflow else "", done=done))

    # -- what happens to them ------------------------------------------------------------------------------------

    def outcome(self, job: Job, outcome: Outcome) -> bool:
        """An attempt of a step ended. False if the instance is not in memory: it may come back for it."""
        execution = self.executions.get(job.key.instance)
        if execution is None:
            return False
        command = execution.replay.open.get(job.key.command)
        if execution.ended or command is None:
            return True
        with self._guarded(execution):
            self._apply_outcome(execution, command, job, outcome)
        return True

    def _apply_outcome(self, execution: Execution, command: Command, job: Job, outcome: Outcome) -> None:
        now = self.clock.now()
        if isinstance(outcome, Succeeded):
            execution.happened(events.STEP_COMPLETED, _step_ended(job, outcome, self.node), now)
        elif outcome.delay is None:
            execution.happened(events.STEP_FAILED, _step_ended(job, outcome, self.node), now)
        else:
            self._retry_later(execution, job, outcome, now)
            self._advance(execution, Effects([command]))
            return
        self._advance(execution, execution.turn(now))

    def _retry_later(self, execution: Execution, job: Job, outcome: Errored, now: int) -> None:
        due = now + int((outcome.delay or 0.0) * 1_000_000)
        first_at = outcome.started_at if job.first_at is None else job.first_at
        execution.retries[job.key.command] = RetryAt(due, job.attempt + 1, first_at)
        retrying = events.StepRetrying(
            command=job.key.command,
            step=job.step.name,
            attempt=job.attempt,
            node=self.node,
            started_at=outcome.started_at,
            ended_at=outcome.ended_at,
            first_at=first_at,
            due=due,
            error=events.raw(outcome.error),
        )
        execution.happened(events.STEP_RETRYING, retrying, now)

    def long_step(self, job: Job, started_at: int) -> None:
        """A body has been running for a while: an event that says so, for people and for a successor."""
        execution = self.executions.get(job.key.instance)
        command = execution.replay.open.get(job.key.command) if execution is not None else None
        if execution is None or execution.ended or command is None:
            return
        started = events.StepStarted(
            job.key.command, job.step.name, job.attempt, self.node, started_at, command.file, command.line
        )
        execution.happened(events.STEP_STARTED, started, self.clock.now())
        self._advance(execution, Effects())

    def _due(self, instance: UUID, number: int) -> None:
        execution = self.executions.get(instance)
        if execution is None or execution.ended or execution.releasing:
            return
        command = execution.replay.open.get(number)
        if isinstance(command, StartTimer):
            with self._guarded(execution):
                execution.happened(events.TIMER_FIRED, events.TimerFired(number), self.clock.now())
                self._advance(execution, execution.turn(self.clock.now()))
        elif isinstance(command, RunStep) and number in execution.retries:
            self._dispatch(execution, command)
            self._advance(execution, Effects())

    def mail(self, messages: Iterable[Message]) -> None:
        """Messages as read from the inbox, in order; those already read are skipped."""
        by_instance: dict[UUID, list[Message]] = {}
        for message in messages:
            by_instance.setdefault(message.instance, []).append(message)
        for key, batch in by_instance.items():
            execution = self.executions.get(key)
            new = [message for message in batch if execution and message.number > execution.read_mail]
            if execution is not None and new:
                with self._guarded(execution):
                    self._read_new(execution, new)

    def _read_new(self, execution: Execution, new: list[Message]) -> None:
        execution.read_mail = new[-1].number
        if execution.ended:
            execution.leftovers += new
            if not execution.releasing:
                self._write_end(execution)
            return
        now = self.clock.now()
        self._read(execution, new, now)
        self._advance(execution, Effects() if execution.ended else execution.turn(now))

    def _read(self, execution: Execution, messages: Iterable[Message], now: int) -> None:
        """Move messages into the history, in order, each one once per sender's id."""
        for message in messages:
            execution.consumed.append(message.number)
            if message.message in execution.seen:
                continue
            execution.seen.add(message.message)
            if execution.ended or execution.replay.finished:
                execution.leftovers.append(message)
            elif message.kind == "terminate":
                self._terminate(execution, message)
            else:
                execution.receive(message, now)

    def _terminate(self, execution: Execution, order: Message) -> None:
        """No code runs any more: bodies are told to stop, what is left is the terminal event."""
        self._stop_bodies(execution)
        execution.replay.close()
        execution.finish, execution.terminated_by = None, order
        execution.ended = True

    def _stop_at_limit(self, execution: Execution) -> None:
        """A history that grows without end would one day be too long to replay: the instance is terminated."""
        reason = f"its history has reached the limit of {self.history_limit:,} events"
        payload = msgspec.json.encode(reason).decode()
        order = Message(instance=execution.key, number=0, kind="terminate", name="", message="", payload=payload)
        self._terminate(execution, order)

    # -- one turn's way to the journal, and what follows its commit ----------------------------------------------

    def _advance(
        self,
        execution: Execution,
        effects: Effects,
        *,
        start: NewInstance | None = None,
        told: Callable[[Verdict], None] | None = None,
    ) -> None:
        """Hand events and outcome of a turn to the journal together; act on its commands after the commit."""
        if execution.ended or execution.finish is not None:
            execution.ended = True
            self._write_end(execution, effects, start=start, told=told)
            return
        if execution.seq >= self.history_limit:
            self._stop_at_limit(execution)
            self._write_end(execution, effects, start=start, told=told)
            return
        change = execution.change(self.clock.now(), self._park_after)
        if not (execution.pending or execution.consumed or change or start):
            self._act(execution, effects)
            return

        def done(write: Write, verdict: Verdict) -> None:
            if told is not None:
                told(verdict)
            self._settled(execution, write, verdict, effects)

        if change is not None:
            execution.wrote(change)
        self.journal.submit(execution.write(change, done, start=start))

    def _settled(self, execution: Execution, write: Write, verdict: Verdict, effects: Effects) -> None:
        if execution.evicted:
            return
        if verdict is not Verdict.COMMITTED:
            self._drop(execution, verdict)
            return
        faultpoint.reach("orchestrator.before_act")
        self._on_changed(execution.key)
        if write.parked:
            self._forget(execution)
            return
        if write.change is not None and write.change.release:
            execution.releasing = False
            effects = Effects(list(execution.replay.open.values()), effects.stop)
            self._on_mail()
        self._act(execution, effects)
        faultpoint.reach("orchestrator.after_act")

    def _act(self, execution: Execution, effects: Effects) -> None:
        """Effects, after the commit of what asked for them; code that ran ahead may have changed its mind."""
        for step in effects.stop:
            self.dispatcher.cancel(execution.key, step.number, step.step.options.executor)
        if execution.ended or execution.releasing:
            return
        still_open = execution.replay.open
        for command in effects.act:
            if command.number not in still_open:
                continue
            if isinstance(command, StartTimer):
                self.timers.arm(command.due, execution.key, command.number)
            elif isinstance(command, RunStep):
                self._start_or_retry(execution, command)

    def _start_or_retry(self, execution: Execution, command: RunStep) -> None:
        retry = execution.retries.get(command.number)
        if retry is None:
            self._dispatch(execution, command)
        else:
            self.timers.arm(retry.due, execution.key, command.number)

    def _dispatch(self, execution: Execution, command: RunStep) -> None:
        retry = execution.retries.pop(command.number, None)
        self.dispatcher.dispatch(
            Job(
                key=BodyKey(execution.key, command.number),
                instance_id=execution.id,
                definition=execution.workflow.name,
                attempt=retry.attempt if retry else 1,
                step=command.step,
                arguments=command.arguments,
                asked_at=command.asked_at,
                first_at=retry.first_at if retry else None,
            )
        )

    # -- how instances leave this memory -------------------------------------------------------------------------

    def _write_end(
        self,
        execution: Execution,
        effects: Effects | None = None,
        *,
        start: NewInstance | None = None,
        told: Callable[[Verdict], None] | None = None,
    ) -> None:
        """Write the terminal event; if new mail came before it, write it again with that listed as unhandled."""

        def done(write: Write, verdict: Verdict) -> None:
            if told is not None:
                told(verdict)
            execution.releasing = False
            if verdict is Verdict.COMMITTED:
                self._ended(execution, write, effects or Effects())
            elif verdict is Verdict.MAIL:
                execution.take_back(write)
                if execution.read_mail > write.read_mail:
                    self._write_end(execution, effects)
                else:
                    self._on_mail()
            else:
                self._drop(execution, verdict)

        execution.releasing = True
        self.journal.submit(ended(execution, self.clock.now(), done, start=start))

    def _ended(self, execution: Execution, write: Write, effects: Effects) -> None:
        for step in effects.stop:
            self.dispatcher.cancel(execution.key, step.number, step.step.options.executor)
        change = write.change
        assert change is not None
        self._on_left(execution.key, (change.status, change.result, change.error))
        self._forget(execution)
        self._on_changed(execution.key)

    def _drop(self, execution: Execution, verdict: Verdict) -> None:
        """Not mine any more, or refused by the database: out of memory; bodies of what is lost are told to stop."""
        if verdict is Verdict.LOST:
            self._stop_bodies(execution)
        if not execution.evicted and verdict is not Verdict.TAKEN:
            log.warning("instance %s leaves this node's memory: %s", execution.id, verdict.value)
            self._on_evicted(execution.key)
        self._forget(execution)

    def _forget(self, execution: Execution) -> None:
        execution.evicted = True
        self.executions.pop(execution.key, None)
        if self._watched:
            self._moved.add(execution.key)
        self._on_left(execution.key, None)
        execution.replay.close()

    def _block(self, execution: Execution, error: Exception) -> None:
        """Park an instance as blocked whose turn failed here; nothing of that turn is written."""
        self._stop_bodies(execution)
        self._forget(execution)
        self.journal.submit(
            Write(
                key=execution.key,
                read_mail=execution.read_mail,
                done=lambda _write, _verdict: self._on_evicted(execution.key),
                change=block_of(error, digest=execution.workflow.digest),
            )
        )

    def _stop_bodies(self, execution: Execution) -> None:
        for command in list(execution.replay.open.values()):
            if isinstance(command, RunStep):
                self.dispatcher.cancel(execution.key, command.number, command.step.options.executor)

    @contextmanager
    def watching(self) -> Iterator[set[UUID]]:
        """The keys that were in this memory at the start of the block, or left it since.

        Only a row that is mine and was never here meanwhile is missing: one that ended or parked during a slow read
        must not be rebuilt from what that read saw.
        """
        self._moved, self._watched = set(self.executions), True
        try:
            yield self._moved
        finally:
            self._moved, self._watched = set(), False

    def close(self) -> None:
        """Drop everything from memory: at a stop, or when this node was declared dead."""
        self.timers.stop()
        for execution in list(self.executions.values()):
            self._forget(execution)


def _step_ended(job: Job, outcome: Succeeded | Errored, node: str) -> events.StepEnded:
    succeeded = isinstance(outcome, Succeeded)
    return events.StepEnded(
        command=job.key.command,
        step=job.step.name,
        attempt=job.attempt,
        node=node,
        started_at=outcome.started_at,
        ended_at=outcome.ended_at,
        result=events.raw(outcome.result) if succeeded else None,
        error=None if succeeded else events.raw(outcome.error),
    )
