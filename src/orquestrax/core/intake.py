"""How instances come into this node's memory: started here, or claimed and rebuilt from their history."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from orquestrax.base.codec import encode_error
from orquestrax.base.errors import OrquestraxError
from orquestrax.core.endings import ORDERS, blocked, unrun
from orquestrax.core.execution import Execution
from orquestrax.core.happenings import Happenings
from orquestrax.core.pausing import lift
from orquestrax.core.restoring import restore
from orquestrax.core.steering import steer
from orquestrax.core.trial import ALONE_FROM, Trial
from orquestrax.core.turns import Turns
from orquestrax.core.wholerun import deadline_of, is_late, late_error
from orquestrax.define.workflow import Workflow
from orquestrax.model import events
from orquestrax.model.rows import History, InstanceRow, NewInstance, Verdict, Write
from orquestrax.replay.instance import Identity, Replay

log = logging.getLogger(__name__)


class Intake:
    """Called from plain callbacks: by the client of this process and by the claimer."""

    def __init__(
        self, turns: Turns, happenings: Happenings, workflows: Mapping[str, Workflow[..., Any]]
    ) -> None:
        self._turns, self._happenings, self._workflows = turns, happenings, workflows
        self._unrun = set[UUID]()  # mine and not in memory: what is written of them is on its way

    def start(self, new: NewInstance, told: Callable[[Verdict], None]) -> None:
        """The local-first start: the instance is inserted as mine and running, together with its first turn."""
        now = self._turns.clock.now()
        try:
            execution = self._execution(new.key, new.id, self._workflows[new.definition], now, new.input)
            self._turns.memory.executions[new.key] = execution
            execution.deadline = execution.unsaved = deadline_of(execution.workflow, now)
            execution.replay.start()
            self._turns.advance(execution, execution.turn(now), new, told)
        except Exception:
            log.exception("the start of %s failed here", new.id)
            self._turns.memory.executions.pop(new.key, None)
            told(Verdict.FAULT)

    def adopt(self, row: InstanceRow, history: History) -> None:
        """A claimed instance: rebuild it from its history and go on, or end it by an order that runs no code."""
        if row.key in self._turns.memory.executions or row.key in self._unrun:
            return
        orders = {message.kind for message in history.messages} & ORDERS
        if "terminate" in orders or ("cancel" in orders and row.never_started):
            self._end_unrun(row, history, events.TERMINATED if "terminate" in orders else events.CANCELLED)
            return
        if row.steered or self._is_foreign(row, orders):
            self._turns.journal.submit(steer(row, history, self._turns.clock.now(), self._unrun_done(row)))
            return
        if row.never_started and is_late(row, self._turns.clock.now()):
            self._end_unrun(row, history, events.FAILED, late_error(row))
            return
        try:
            execution = self._rebuild(row, history)
        except Exception as error:  # noqa: BLE001 - whatever it was: the instance is parked, visibly
            self._refused(row, history, error)
            return
        execution.read_mail = max(row.mail, *(message.number for message in history.messages), 0)
        with self._turns.guarded(execution):
            self._resume(execution, row, history)

    def _is_foreign(self, row: InstanceRow, orders: Collection[str]) -> bool:
        """Whether it came here by an order alone, and new mail kept it: its code is not here, or has no begin yet."""
        may_run = row.definition in self._workflows and row.started_at is not None
        if may_run or row.status == "blocked" or "cancel" in orders:
            return False
        return not is_late(row, self._turns.clock.now())

    def _rebuild(self, row: InstanceRow, history: History) -> Execution:
        """The instance as its history leaves it. Raises NonDeterminism, PayloadError where the code does not fit."""
        workflow = self._workflows.get(row.definition)
        if workflow is None or row.started_at is None:
            raise OrquestraxError(f"no code for the definition {row.definition!r} is here")
        execution = self._execution(row.key, row.id, workflow, row.started_at, row.input.encode())
        execution.status = row.status
        execution.deadline = row.deadline
        if row.deadline is None:
            execution.deadline = execution.unsaved = deadline_of(workflow, row.created_at)
        first_run = row.never_started and all(event.type in events.STEERING for event in history.events)
        if first_run:  # known to be here before it runs, so that what it logs is kept
            self._turns.memory.executions[row.key] = execution
        try:
            restore(execution, history.events, first_run=first_run)
        except BaseException:
            self._turns.memory.executions.pop(row.key, None)
            execution.replay.close()
            raise
        return execution

    def _resume(self, execution: Execution, row: InstanceRow, history: History) -> None:
        """After the replay: attach to what runs, start what does not, read the mail."""
        self._turns.memory.executions[row.key] = execution
        now = self._turns.clock.now()
        if row.lost_owner is not None:
            name, seen_at = history.lost or (str(row.lost_owner), now)
            after = round(max(0, now - seen_at) / 1_000_000, 3)
            taken = events.TakenOver(dead=name, node=self._turns.node, after=after)
            execution.happened(events.TAKEN_OVER, taken, now)
        if row.suspicion:
            execution.trial = Trial(alone=row.suspicion >= ALONE_FROM, quiet=execution.seq)
        if history.queued:
            execution.queued.commands |= history.queued & execution.replay.open.keys()
            for command in execution.queued.commands:
                execution.retries.pop(command, None)  # the attempt that it speaks of is in the queue
        self._happenings.read(execution, history.messages, now)
        if execution.pause is not None and not execution.paused:  # resumed by who does not have the code
            self._happenings.read(execution, lift(execution, now), now)
        if execution.announced:
            self._turns.acting.interrupt(execution, now)
        effects = execution.turn(now)
        there = execution.told_by_message
        effects.act = [c for c in execution.replay.open.values() if c.number not in there]
        self._turns.advance(execution, effects)

    def _execution(
        self, key: UUID, id_: str, workflow: Workflow[..., Any], started_at: int, arguments: bytes
    ) -> Execution:
        identity = Identity(
            id=id_, key=key, definition=workflow.name, version=workflow.version, started_at=started_at
        )
        replay = Replay(
            identity,
            workflow.main(arguments),
            encode_result=workflow.signature.result.encode,
            encode_error=encode_error,
        )
        return Execution(
            key=key, id=id_, workflow=workflow, replay=replay, node=self._turns.node, last_at=started_at
        )

    def _end_unrun(self, row: InstanceRow, history: History, type_: str, error: bytes | None = None) -> None:
        """End an instance without running its code: terminated, or cancelled or late before it ever ran."""
        now, done = self._turns.clock.now(), self._unrun_done(row)
        write = unrun(row, history, type_, node=self._turns.node, now=now, done=done, error=error)
        self._turns.journal.submit(write)

    def _refused(self, row: InstanceRow, history: History, error: Exception) -> None:
        """The code here does not fit the history: the instance is parked as blocked, with both sides."""
        if any(message.kind == "cancel" for message in history.messages):
            self._end_unrun(row, history, events.CANCELLED)
            return
        if is_late(row, self._turns.clock.now()):
            self._end_unrun(row, history, events.FAILED, late_error(row))
            return
        log.warning("instance %s is blocked: %s", row.id, error)
        workflow = self._workflows.get(row.definition)
        digest = workflow.digest if workflow is not None else ""
        self._turns.journal.submit(blocked(row, history, error, digest=digest, done=self._unrun_done(row)))

    def _unrun_done(self, row: InstanceRow) -> Callable[[Write, Verdict], None]:
        """New mail, or any other reason: look at the row again."""
        self._unrun.add(row.key)

        def done(write: Write, verdict: Verdict) -> None:
            self._unrun.discard(row.key)
            done_with = verdict is Verdict.COMMITTED and write.parked
            if not done_with:
                self._turns.on_evicted(row.key)
            elif write.ends:
                self._turns.on_ended(row.key)
            else:
                self._turns.on_changed(row.key)
            if done_with and write.change is not None and write.change.wake_at is not None:
                self._turns.on_due()

        return done
