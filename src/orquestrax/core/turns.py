"""One turn's way to the journal, what follows its commit, and how instances leave this node's memory.

Workflow code may run ahead of a commit, because it is pure; effects wait for it. After the verdict LOST or FAULT the
instance leaves this memory, and whoever owns it rebuilds it from its history.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from uuid import UUID

from orquestrax.base import faultpoint
from orquestrax.base.clock import DatabaseClock
from orquestrax.core.acting import Acting
from orquestrax.core.delivery import KINDS, deliver
from orquestrax.core.dispatcher import Dispatcher
from orquestrax.core.endings import block_of, ended, own_order
from orquestrax.core.execution import Effects, Execution
from orquestrax.core.journal import Journal
from orquestrax.core.memory import Ending, Memory
from orquestrax.core.pausing import holds, lift, pause, resume, standstill
from orquestrax.core.timers import Timers
from orquestrax.core.wholerun import GRACE, cut, plan_attempt, start_attempt, time_out
from orquestrax.model import events
from orquestrax.model.rows import Message, NewInstance, RowChange, Verdict, Write

log = logging.getLogger(__name__)
HISTORY_LIMIT: Final = 200_000  # events
COMMITTED: Final = Verdict.COMMITTED  # before Python 3.12 each look into an enum costs as much as a call


class Turns:
    """Everything between an applied event and its effects.

    on_changed(key)  after a commit that others may want to see
    on_ended(key)    after the one with which an instance has ended
    on_evicted(key)  a row that is still mine, or may be, is not in memory
    on_mail()        there is mail that has not been read
    on_due()         after a commit that leaves something due for whoever claims it
    on_queued(new, withdrawn)  the cluster's queues have changed: there are steps to take, or to give up
    """

    def __init__(
        self,
        *,
        node: str,
        memory: Memory,
        clock: DatabaseClock,
        journal: Journal,
        dispatcher: Dispatcher,
        timers: Timers,
        park_after: float,
        on_changed: Callable[[UUID], None],
        on_ended: Callable[[UUID], None],
        on_mail: Callable[[], None],
        on_due: Callable[[], None],
        on_evicted: Callable[[UUID], None],
        on_queued: Callable[[bool, bool], None] = lambda _new, _withdrawn: None,
    ) -> None:
        self.node, self.memory, self.clock, self.journal = node, memory, clock, journal
        self.park_after = int(park_after * 1_000_000)
        self.history_limit, self.grace = HISTORY_LIMIT, GRACE
        self.on_changed, self.on_ended, self.on_evicted = on_changed, on_ended, on_evicted
        self.on_mail, self.on_due = on_mail, on_due
        self.on_queued = on_queued
        self.acting = Acting(dispatcher, timers, clock, self.advance)

    @contextmanager
    def guarded(self, execution: Execution) -> Iterator[None]:
        """A fault of the engine itself in one turn stops that instance, visibly, and no other."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this instance's alone
            self.stop_at(execution, error)

    def stop_at(self, execution: Execution, error: Exception) -> None:
        """The engine's own fault in a turn of this instance."""
        log.error("instance %s cannot go on here", execution.id, exc_info=error)
        self.block(execution, error)

    def advance(
        self,
        execution: Execution,
        effects: Effects,
        start: NewInstance | None = None,
        told: Callable[[Verdict], None] | None = None,
    ) -> None:
        """Hand events and outcome of a turn to the journal together; act on its commands after the commit."""
        failed = execution.finish is not None and execution.replay.error is not None
        if failed and plan_attempt(execution, self.clock.now()):
            self._take_in_leftovers(execution)
        if execution.ended or execution.finish is not None:
            execution.ended = True
            self.write_end(execution, effects, start=start, told=told)
            return
        if execution.seq >= self.history_limit:
            self._stop_at_limit(execution)
            self.write_end(execution, effects, start=start, told=told)
            return
        if execution.pause is not None or self.acting.draining:
            change = self._standstill(execution)
        else:
            if self.acting.peers.spreads:
                self.acting.place(execution, effects)
            change = execution.change(self.clock.now, self.park_after)
        if execution.queue is not None and execution.queue.new and not (execution.pending or start):
            self._tell_queued(execution)
        if not (execution.pending or execution.consumed or change or start):
            self.acting.act(execution, effects)
            return
        before = execution.status
        if change is not None:
            execution.wrote(change, effects)
        elif start is None and execution.join(effects):
            return
        done = partial(self._settled, execution, effects, told)
        write = execution.write(change, done, start)
        write.holds = None if before == execution.status else holds(before, execution.status)
        execution.latest = (write, effects) if change is None and start is None else None
        self.journal.submit(write)

    def _tell_queued(self, execution: Execution) -> None:
        """Tasks are written with an event: a commit without an answer is judged by it."""
        commands = [task.command for task in execution.queued.new]
        queued = events.StepsQueued(commands=commands, node=self.node)
        execution.noted(events.STEPS_QUEUED, queued, self.clock.now())

    def _settled(
        self,
        execution: Execution,
        effects: Effects,
        told: Callable[[Verdict], None] | None,
        write: Write,
        verdict: Verdict,
    ) -> None:
        if told is not None:
            told(verdict)
        if execution.evicted:
            return
        if verdict is not COMMITTED:
            self.drop(execution, verdict)
            return
        faultpoint.reach("orchestrator.before_act")
        self.on_changed(execution.key)
        if write.tasks or write.withdrawn:
            self.on_queued(bool(write.tasks), bool(write.withdrawn))
        if write.parked:
            self.forget(execution)
            if self.acting.draining:
                self.on_due()
            return
        if write.change is not None and write.change.release:
            execution.releasing -= 1
            execution.armed = 0
            self.on_mail()
        self.acting.act(execution, effects)
        behind = execution.read_mail > write.read_mail and not execution.ended  # else its end is on its way
        if behind and (self.acting.draining or execution.paused):
            self.advance(execution, Effects())
        faultpoint.reach("orchestrator.after_act")

    def _standstill(self, execution: Execution) -> RowChange | None:
        """Nothing of it starts here any more; when nothing runs either it parks: for others, or until it is resumed."""
        busy = self.acting.hold(execution)
        return standstill(execution, busy=busy, due=None if execution.paused else self.clock.now())

    def drain(self) -> None:
        """Start nothing more; let go of what does not run here, and of the rest as its bodies end."""
        self.acting.drain()
        for execution in list(self.memory.executions.values()):
            with self.guarded(execution):
                if not execution.ended and not execution.releasing:
                    self.advance(execution, Effects())

    def _take_in_leftovers(self, execution: Execution) -> None:
        """What came behind the failure, in the same batch of mail, is for the next attempt."""
        messages, execution.leftovers = execution.leftovers, []
        for message in messages:
            self.take_in(execution, message, self.clock.now())
        execution.finish = execution.replay.take().finish or execution.finish

    def take_in(self, execution: Execution, message: Message, now: int) -> list[Message]:
        """A message that has not been seen before: into the history, unless no code is there to take it.

        Returns those that a pause had held back until this one.
        """
        if execution.ended or execution.replay.finished:
            execution.leftovers.append(message)
            return []
        match message.kind:
            case "terminate":
                self.terminate(execution, message)
            case "pause":
                pause(execution, message, now)
            case "resume":
                return resume(execution, message, now)
            case kind if kind in KINDS:
                deliver(execution, message, now)
            case _:
                execution.receive(message, now)
                if message.kind == "cancel":
                    return lift(execution, now)
        return []

    def run_due(self, execution: Execution) -> None:
        """The timer of the whole run has fired: its time is over, or its next attempt is due."""
        now, execution.armed = self.clock.now(), 0
        if execution.deadline is not None and execution.deadline <= now:
            if execution.late:
                self.acting.stop_all(execution)
                cut(execution)
            else:
                time_out(execution, now, self.grace)
        elif execution.again_at is not None and execution.again_at <= now:
            start_attempt(execution, now)
        self.advance(execution, Effects() if execution.ended else execution.turn(now))

    def write_end(
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
            execution.releasing -= 1
            if verdict is Verdict.COMMITTED:
                self._ended(execution, write, effects or Effects())
            elif verdict is Verdict.MAIL:
                execution.take_back(write)
                if execution.read_mail > write.read_mail:
                    self.write_end(execution, effects)
                else:
                    self.on_mail()
            else:
                self.drop(execution, verdict)

        self.journal.submit(ended(execution, self.clock.now(), done, start=start))

    def _ended(self, execution: Execution, write: Write, effects: Effects) -> None:
        self.acting.stop(execution, effects)
        change = write.change
        assert change is not None
        if execution.queue is not None:
            self.on_queued(False, True)
        self.forget(execution, (change.status, change.result, change.error))
        self.on_ended(execution.key)

    def drop(self, execution: Execution, verdict: Verdict) -> None:
        """Not mine any more, or refused by the database: out of memory; bodies of what is lost are told to stop."""
        if verdict is Verdict.LOST:
            self.acting.forget(execution)
        if not execution.evicted and verdict is not Verdict.TAKEN:
            log.warning("instance %s leaves this node's memory: %s", execution.id, verdict.value)
            self.on_evicted(execution.key)
        self.forget(execution)

    def forget(self, execution: Execution, ending: Ending = None) -> None:
        """Out of memory; `ending` says how it ended, None that it goes on elsewhere or later."""
        execution.evicted = True
        execution.latest = None  # it leads back here in a circle
        self.acting.release(execution)
        self.memory.remove(execution.key, ending)
        execution.replay.close()

    def block(self, execution: Execution, error: Exception) -> None:
        """Park an instance as blocked whose turn failed here; nothing of that turn is written."""
        self.acting.forget(execution)
        self.forget(execution)
        self.journal.submit(
            Write(
                key=execution.key,
                read_mail=execution.read_mail,
                done=lambda _write, _verdict: self.on_evicted(execution.key),
                change=block_of(error, digest=execution.workflow.digest),
            )
        )

    def terminate(self, execution: Execution, order: Message) -> None:
        """No code runs any more: bodies are told to stop, what is left is the terminal event."""
        self.acting.stop_all(execution)
        if execution.pause is not None:
            execution.leftovers += execution.unseen(execution.pause.deferred)
        execution.terminate(order)

    def _stop_at_limit(self, execution: Execution) -> None:
        """A history that grows without end would one day be too long to replay: the instance is terminated."""
        reason = f"its history has reached the limit of {self.history_limit:,} events"
        self.terminate(execution, own_order(execution.key, reason))
