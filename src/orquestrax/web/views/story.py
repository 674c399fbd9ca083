"""A history read as a story: what each step, timer and message did, and when. Pure.

Histories do not say when a command was asked for, but each event carries how many had been asked before
it was applied. So a command was asked for by the last event that still counts fewer: exactly, not by a guess.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from orquestrax.core.store.clientverbs import EventView
from orquestrax.model import events


@dataclass(slots=True)
class Attempt:
    """One attempt of a step; `state` as in statuses.STEPS, `error` its first line."""

    number: int
    started_at: int
    ended_at: int | None
    state: str
    node: str
    error: str = ""


@dataclass(slots=True)
class Lane:
    """One step or timer.

    due   when it goes on: the next attempt, or the timer's end
    site  file and line that asked for it, once an attempt has been running for a second
    """

    command: int
    kind: str
    name: str
    asked_at: int
    attempts: list[Attempt] = field(default_factory=list)
    ended_at: int | None = None
    due: int | None = None
    site: tuple[str | None, int | None] = (None, None)

    @property
    def state(self) -> str:
        """How it stands, in the words of statuses.STEPS."""
        if self.kind == "timer":
            return "scheduled" if self.ended_at is None else "completed"
        return self.attempts[-1].state if self.attempts else "waiting"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that came from outside or concerns the whole run: a signal, a takeover, another attempt."""

    seq: int
    kind: str
    at: int
    name: str


@dataclass(slots=True)
class Story:
    """Lanes in the order of asking, marks in the order of coming."""

    lanes: list[Lane]
    marks: list[Mark]

    def open_steps(self) -> list[Lane]:
        """Steps that have begun and not ended, retries included."""
        return [lane for lane in self.lanes if lane.kind == "step" and lane.state in ("running", "retrying")]


def read(
    history: Sequence[EventView], started_at: int, now: int, waits: Iterable[dict[str, Any]] = ()
) -> Story:
    """The story of a history, or of the end of one; `waits` adds the timers that have not fired.

    An attempt is told of when it has run for a second; until then one that is due counts as running.
    """
    reader = _Reader(history, started_at)
    for event in history:
        reader.take(event)
    for wait in waits:
        reader.expect(wait)
    reader.go_on(now)
    lanes = sorted(reader.lanes.values(), key=lambda lane: (lane.asked_at, lane.command))
    return Story(lanes, reader.marks)


def decoded(event: EventView) -> Any:
    """The event's data as the struct of its type; a plain dict for a type of another release."""
    try:
        return events.decode(events.Event(event.seq, event.type, event.at, 0, 0, event.data))
    except (KeyError, msgspec.ValidationError):
        return msgspec.json.decode(event.data)


class _Reader:
    """Collects lanes and marks while events go by."""

    def __init__(self, history: Sequence[EventView], started_at: int) -> None:
        self.lanes: dict[int, Lane] = {}
        self.marks: list[Mark] = []
        self._issued = [event.issued for event in history]
        self._at = [event.at for event in history]
        self._started_at = started_at

    def take(self, event: EventView) -> None:
        data = decoded(event)
        match data:
            case events.StepStarted():
                lane = self._step(data)
                lane.attempts.append(Attempt(data.attempt, data.started_at, None, "running", data.node))
                lane.site = data.file, data.line
            case events.StepRetrying():
                lane = self._ended(data, "retrying", data.error)
                lane.due = data.due
            case events.StepEnded():
                lane = self._ended(data, "completed" if data.error is None else "failed", data.error)
                lane.ended_at = data.ended_at
            case events.StepCancelled():
                self._cancelled(self._lane(data.command, "step", data.step), event.at)
            case events.TimerFired():
                self._lane(data.command, "timer", "timer").ended_at = event.at
            case events.AttemptFailed():
                self._abandon(event.at)
        self._mark(event, data)

    def _mark(self, event: EventView, data: Any) -> None:
        """What came from outside, or concerns the whole run."""
        match data:
            case events.MessageReceived():
                kind = "signal" if event.type == events.SIGNAL else "cancel"
                self.marks.append(Mark(event.seq, kind, event.at, data.name))
            case events.Steered():
                self.marks.append(Mark(event.seq, event.type, event.at, data.by))
            case events.AttemptFailed():
                self.marks.append(Mark(event.seq, "attempt", event.at, str(data.attempt)))
            case events.TimedOut():
                self.marks.append(Mark(event.seq, "timeout", event.at, ""))
            case events.TakenOver():
                self.marks.append(Mark(event.seq, "takeover", event.at, data.node))

    def expect(self, wait: dict[str, Any]) -> None:
        """A timer that has not fired: its number is in no event, so it gets one of its own."""
        if wait.get("kind") == "timer":
            lane = Lane(-len(self.lanes) - 1, "timer", "timer", wait["since"], due=wait.get("until"))
            self.lanes[lane.command] = lane

    def go_on(self, now: int) -> None:
        """Attempts that are due have begun."""
        for lane in self.lanes.values():
            if lane.kind == "step" and lane.due is not None and lane.due <= now:
                last = lane.attempts[-1]
                lane.attempts.append(Attempt(last.number + 1, lane.due, None, "running", last.node))
                lane.due = None

    def _step(self, data: Any) -> Lane:
        lane = self._lane(data.command, "step", data.step)
        lane.due = None
        # An attempt that another node had begun and lost is told again by its successor.
        lane.attempts = [attempt for attempt in lane.attempts if attempt.number != data.attempt]
        return lane

    def _ended(self, data: Any, state: str, error: Any) -> Lane:
        lane = self._step(data)
        told = first_line(error) if error else ""
        lane.attempts.append(Attempt(data.attempt, data.started_at, data.ended_at, state, data.node, told))
        return lane

    def _abandon(self, at: int) -> None:
        """The code begins anew: what it was waiting for is over."""
        for lane in self.lanes.values():
            if lane.ended_at is None and lane.kind == "step":
                self._cancelled(lane, at)
            elif lane.ended_at is None:
                lane.ended_at, lane.due = at, None

    def _cancelled(self, lane: Lane, at: int) -> None:
        lane.ended_at, lane.due = at, None
        if lane.attempts and lane.attempts[-1].ended_at is None:
            lane.attempts[-1].ended_at = at
        if lane.attempts:
            lane.attempts[-1].state = "cancelled"
        else:
            lane.attempts.append(Attempt(1, lane.asked_at, at, "cancelled", ""))

    def _lane(self, command: int, kind: str, name: str) -> Lane:
        if command not in self.lanes:
            self.lanes[command] = Lane(command, kind, name, self._asked_at(command))
        return self.lanes[command]

    def _asked_at(self, command: int) -> int:
        place = bisect_left(self._issued, command) - 1
        return self._at[place] if place >= 0 else self._started_at


def first_line(error: Any) -> str:
    """`Type: message` of a stored error (JSON text, bytes or Raw), its first line."""
    if not error:
        return ""
    stored = msgspec.json.decode(error if isinstance(error, str) else bytes(error))
    kind, message = stored.get("type", ""), str(stored.get("message", "")).strip()
    line = message.splitlines()[0] if message else ""
    return f"{kind}: {line}" if line else str(kind)
