"""One instance in this node's memory: its replay, and how far its history and mail have got.

An execution turns what happens (an outcome, a timer, a message) into events, feeds them one at a time to the
workflow's code, and gathers what one turn must write. It touches neither the database nor any step body.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec

from orquestrax.core.pause import Pause
from orquestrax.core.queued import Queued
from orquestrax.core.retries import RetryAt
from orquestrax.core.trial import Trial
from orquestrax.define.workflow import Workflow
from orquestrax.model import events
from orquestrax.model.commands import Command, Finish, RunStep, StartTimer
from orquestrax.model.events import Event
from orquestrax.model.rows import Message, NewInstance, RowChange, Verdict, Write
from orquestrax.replay.instance import Replay, Wait

JOINED: Final = 200  # events of one write, about: what a commit carries well
SOON: Final = 1_000_000  # microseconds: a shorter timer is not worth the status `waiting`
_ENCODE: Final = msgspec.json.Encoder().encode


class Effects(msgspec.Struct):
    """What a turn wants done in the world once it is committed: commands to act on, bodies to stop."""

    act: list[Command] = []
    stop: list[RunStep] = []


@dataclass(slots=True, kw_only=True)
class Execution:
    """An instance that this node owns.

    seq        the last event applied (committed or on its way to the journal)
    read_mail  the highest number of a message that has been read
    status     the row's status as the last write of it says
    retries    steps that wait for another attempt, by command
    announced  the latest step_started of steps, by command
    again_at   between two attempts of the whole run: when the next one is due
    deadline   when the run is out of time; once it is late, when it ends without its code
    late       the time limit of the run in seconds, once that has passed
    unsaved    the deadline, while the row does not have it yet
    armed      the moment for which the timer of the whole run is set, 0 if it is not
    queue      its steps whose outcomes come by message; None while there never were any
    pause      while it is paused, and until its code has heard of what was kept
    trial      if it came here under suspicion of having ended the nodes before
    ended      no code of it runs any more; what is left to do is to write the terminal event
    releasing  how many writes that give up the row are on their way: no timer may act until the last verdict
    latest     the last write that more events may join, and what follows its commit
    """

    key: UUID
    id: str
    workflow: Workflow[..., Any]
    replay: Replay
    node: str
    status: str = "running"
    seq: int = 0
    read_mail: int = 0
    last_at: int = 0
    waits: bytes | None = None
    seen: set[str] = field(default_factory=set)
    retries: dict[int, RetryAt] = field(default_factory=dict)
    announced: dict[int, events.StepStarted] = field(default_factory=dict)
    again_at: int | None = None
    deadline: int | None = None
    unsaved: int | None = None
    late: float = 0.0
    armed: int = 0
    pause: Pause | None = None
    trial: Trial | None = None
    unhandled: list[events.Unhandled] | None = None
    leftovers: list[Message] = field(default_factory=list)
    pending: list[Event] = field(default_factory=list)
    consumed: list[int] = field(default_factory=list)
    terminated_by: Message | None = None
    finish: Finish | None = None
    queue: Queued | None = None
    ended: bool = False
    releasing: int = 0
    latest: tuple[Write, Effects] | None = None
    evicted: bool = False

    @property
    def paused(self) -> bool:
        """Whether nothing of it may start."""
        return self.pause is not None and self.pause.active

    @property
    def told_by_message(self) -> Collection[int]:
        """Steps whose outcomes come by message: nobody here begins them, or waits for their bodies."""
        return () if self.queue is None else self.queue.commands

    def happened(self, type_: str, data: msgspec.Struct, now: int, value: Any = msgspec.UNSET) -> None:
        """Apply one event; it joins those that the next write carries. No two events go back in time.

        `value` is the result in it, for the code alone, if somebody has decoded that already.
        """
        if now > self.last_at:  # noqa: PLR1730 - `max` costs four times as much
            self.last_at = now
        self.seq += 1
        event = self.replay.stamp(self.seq, type_, self.last_at, data)
        self.pending.append(event)
        if not self.ended:
            self.replay.apply(event, data, value)

    def noted(self, type_: str, data: msgspec.Struct, now: int) -> None:
        """As `happened`, of what is no progress: whoever is under suspicion still is."""
        self.happened(type_, data, now)
        if self.trial is not None:
            self.trial.quiet += 1

    @property
    def is_suspect(self) -> bool:
        """Whether it came here under suspicion, and nothing has happened to it since."""
        return self.trial is not None and self.trial.quiet == self.seq

    @property
    def is_tried(self) -> bool:
        """Whether that is so, and it must say what it begins."""
        return self.trial is not None and self.trial.alone and self.trial.quiet == self.seq

    def turn(self, now: int) -> Effects:
        """What the code asked for since the last turn, and which steps it stopped waiting for."""
        turn = self.replay.take()
        if turn.finish is not None:
            self.finish = turn.finish
        if self.queue is not None and self.queue.again:
            turn.commands.extend(self.queue.take_again())
        if not turn.abandoned:
            return Effects(turn.commands)
        stopped = [command for command in turn.abandoned if isinstance(command, RunStep)]
        for command in stopped:
            self.retries.pop(command.number, None)
            self.happened(events.STEP_CANCELLED, events.StepCancelled(command.number, command.name), now)
        if self.queue is not None:
            self.queue.withdraw(stopped)
        return Effects(turn.commands, stopped)

    def terminate(self, order: Message) -> None:
        """None of its code runs any more; what is left is the terminal event."""
        self.unhandled = self.replay.unhandled()
        self.replay.close()
        self.finish, self.terminated_by, self.ended = None, order, True

    def cut(self, payload: bytes) -> None:
        """As `terminate`, but out of time: the end is a failure."""
        self.unhandled = self.replay.unhandled()
        self.replay.close()
        self.finish = Finish(number=0, status=events.FAILED, payload=payload)
        self.ended = True

    def unseen(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Those whose sender's id has not come before; now it has."""
        for message in messages:
            if message.message not in self.seen:
                self.seen.add(message.message)
                yield message

    def receive(self, message: Message, now: int) -> None:
        """A signal or a cancel becomes history."""
        payload = None if message.payload is None else events.raw(message.payload)
        received = events.MessageReceived(message.number, message.message, message.name, payload)
        self.happened(events.SIGNAL if message.kind == "signal" else events.CANCEL, received, now)

    @property
    def queued(self) -> Queued:
        """What of it is in the cluster's queues, made at the first need."""
        self.queue = self.queue or Queued()
        return self.queue

    def write(
        self,
        change: RowChange | None,
        done: Callable[[Write, Verdict], None],
        start: NewInstance | None = None,
    ) -> Write:
        """Everything that has happened since the last write, as the next one."""
        deadline = None
        if self.unsaved is not None and (change is not None or start is not None):
            deadline, self.unsaved = self.unsaved, None
        written, consumed, self.pending, self.consumed = self.pending, self.consumed, [], []
        tasks, withdrawn = ((), ()) if self.queue is None else self.queue.take()
        self.releasing += change is not None and change.release
        return Write(
            key=self.key,
            read_mail=self.read_mail,
            done=done,
            start=start,
            started_at=self.replay.identity.started_at,
            seq=self.seq,
            events=written,
            change=change,
            consumed=consumed,
            deadline=deadline,
            tasks=tasks,
            withdrawn=withdrawn,
        )

    def join(self, effects: Effects) -> bool:
        """Let what has happened join the latest write, if that still waits for its batch: a fan-out writes rarely."""
        write, then = self.latest or (None, effects)
        if write is None or write.taken or write.change is not None or len(write.events) >= JOINED:
            return False
        write.events += self.pending
        write.consumed = [*write.consumed, *self.consumed]
        self.pending, self.consumed = [], []
        if self.queue is not None:
            self.queue.join(write)
        then.act += effects.act
        then.stop += effects.stop
        return True

    def take_back(self, write: Write) -> None:
        """An end met new mail and was not written: all of it but the terminal event is still to be written."""
        self.pending, self.consumed = write.events[:-1] + self.pending, write.consumed + self.consumed

    def change(self, clock: Callable[[], int], park_after: int) -> RowChange | None:
        """How the row must change after this turn, if at all: waiting, parked, or running again."""
        if not self._idle():
            if self.trial is not None:
                return self._row("running", self._testimony())
            return None if self.status == "running" else self._row("running", None)
        dues = [command.due for command in self.replay.open.values() if isinstance(command, StartTimer)]
        dues += [retry.due for retry in self.retries.values()]
        dues += [due for due in (self.again_at, self.deadline) if due is not None]
        earliest, now = min(dues, default=None), clock()
        if earliest is not None and earliest <= now + SOON:
            return self._row("running", self._testimony())
        if earliest is None or earliest > now + park_after:
            return RowChange(status="waiting", waits=self.waiting_for(), release=True, wake_at=earliest)
        return self._row("waiting", self.waiting_for())

    def _idle(self) -> bool:
        """Whether no body of it runs or is about to: only timers, signals and late retries are left."""
        for command in self.replay.open.values():  # a loop, as most turns leave at the first: a step
            if isinstance(command, RunStep) and command.number not in self.retries:
                return False
        return True

    def _row(self, status: str, waits: bytes | None) -> RowChange | None:
        unchanged = status == self.status and waits == self.waits
        return None if unchanged else RowChange(status=status, waits=waits)

    def _testimony(self) -> bytes | None:
        """What the row of a running one says that it waits for: nothing, unless it is tried."""
        return self.waiting_for() if self.is_tried else None

    def waiting_for(self) -> bytes:
        """For what it waits; a wait that knows no place gets the line where the main task waits."""
        file, line = self.replay.waits_at()
        waits = self.replay.waits()
        if self.again_at is not None:
            waits.append(Wait("attempt", str(self.replay.attempt), None, None, self.last_at, self.again_at))
        return _ENCODE([w if w.file else msgspec.structs.replace(w, file=file, line=line) for w in waits])

    def wrote(self, change: RowChange, effects: Effects) -> None:
        """Remember what the row says from now on.

        If a park stays, because of new mail, it goes on with all that is open now: not with what its code, which runs
        ahead, asks for until then, since that is not written yet.
        """
        self.status, self.waits = change.status, change.waits
        if change.release:
            effects.act = list(self.replay.open.values())
