"""A host for one workflow without a database: it applies events as an owner would, and keeps the history.

After each event a second instance replays the whole history; it must stand exactly where the first one does.
With `evict=True` it also takes the first one's place, so every event meets an instance that was just rebuilt.
"""

from __future__ import annotations

import json
import sys
import weakref
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from orquestrax.model import events
from orquestrax.model.commands import Command, Finish, Receive, RunStep, StartTimer
from orquestrax.model.events import Event, MessageReceived, StepEnded, TimerFired
from orquestrax.replay.context import current
from orquestrax.replay.instance import Identity, Replay, Turn

BEGAN = 1_700_000_000_000_000
SECOND = 1_000_000
UNFIT = "this does not fit the type"
Main = Callable[[], Coroutine[Any, Any, Any]]


class Failure(Exception):
    """What a failed step raises in the workflow."""


class FakeStep:
    """A step as replay sees it: JSON results, errors as `Failure`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def decode_result(self, raw: bytes | str) -> Any:
        if (value := json.loads(raw)) == UNFIT:
            raise ValueError(value)
        return value

    def rebuild_error(self, raw: bytes | str) -> BaseException:
        if (message := json.loads(raw)) == UNFIT:
            raise ValueError(message)
        return StopIteration(message) if message == "stop" else Failure(message)


def step(name: str, *arguments: Any) -> Coroutine[Any, Any, Any]:
    """A call of a step: asks when first driven, with the line that made it."""
    frame = sys._getframe(1)
    return _step(name, arguments, frame.f_code.co_filename, frame.f_lineno)


async def _step(name: str, arguments: Any, file: str, line: int) -> Any:
    replay = current()
    assert replay is not None
    return await replay.ask_step(FakeStep(name), json.dumps(arguments).encode(), file, line)


_made: list[weakref.ref[Replay]] = []


def new(main: Main, *, name: str = "order-1", key: int = 7) -> Replay:
    replay = Replay(
        Identity(name, UUID(int=key), "order", "1", BEGAN),
        main,
        encode_result=lambda value: json.dumps(value, default=str).encode(),
        encode_error=lambda error: json.dumps([type(error).__name__, str(error)]).encode(),
    )
    _made.append(weakref.ref(replay))
    return replay


def close_all() -> None:
    """Evict whatever was made and is still there, as an owner would do."""
    while _made:
        replay = _made.pop()()
        if replay is not None:
            replay.close()


def rebuild(main: Main, history: list[Event], **names: Any) -> Replay:
    replay = new(main, **names)
    replay.replaying = True
    replay.start()
    for event in history:
        replay.apply(event)
    replay.replaying = False
    return replay


def standing(replay: Replay) -> Any:
    """Everything by which two instances at the same point must agree."""
    open_ = [(c.number, c.kind, c.name, c.file, c.line, c.asked_at) for c in replay.open.values()]
    return (
        replay.issued,
        replay.trail,
        replay.now,
        open_,
        replay.finish,
        replay.waits_at(),
        replay.unhandled(),
    )


class Host:
    """Runs a workflow: `complete`, `fail`, `fire`, `signal`, `cancel` are events, `turn` the outcome."""

    def __init__(self, main: Main, *, evict: bool = False, **names: Any) -> None:
        self.main, self.evict, self.names = main, evict, names
        self.history: list[Event] = []
        self.now = BEGAN
        self.replay = new(main, **names)
        self.replay.start()
        self.turn: Turn = self.replay.take()
        self.turns = [self.turn]

    def happen(self, type_: str, data: Any, at: int | None = None) -> Turn:
        self.now = max(self.now + 1, at or 0)
        event = Event(
            len(self.history) + 1, type_, self.now, self.replay.issued, self.replay.trail, events.encode(data)
        )
        self.replay.apply(event)
        self.history.append(event)
        self.turn = self.replay.take()
        self.turns.append(self.turn)
        self._compare()
        return self.turn

    def _compare(self) -> None:
        again = rebuild(self.main, self.history, **self.names)
        assert standing(again) == standing(self.replay)
        again.take()
        if self.evict:
            self.replay, again = again, self.replay
        again.close()

    # -- events --

    def _open(self, kind: type[Command], which: str | int | None) -> Any:
        for command in self.replay.open.values():
            if isinstance(command, kind) and which in (None, command.name, command.number):
                return command
        raise AssertionError(f"no open {kind.__name__} {which!r} in {list(self.replay.open.values())}")

    def complete(self, which: str | int | None = None, result: Any = None) -> Turn:
        command = self._open(RunStep, which)
        payload = events.raw(json.dumps(result))
        ended = StepEnded(command.number, command.name, 1, "node", self.now, self.now, payload)
        return self.happen(events.STEP_COMPLETED, ended)

    def fail(self, which: str | int | None = None, message: str = "no") -> Turn:
        command = self._open(RunStep, which)
        error = events.raw(json.dumps(message))
        ended = StepEnded(command.number, command.name, 1, "node", self.now, self.now, error=error)
        return self.happen(events.STEP_FAILED, ended)

    def fire(self, number: int | None = None) -> Turn:
        """The timer of this number fires, or the one that is due first."""
        timers = [c for c in self.replay.open.values() if isinstance(c, StartTimer)]
        chosen = [c for c in timers if number in (None, c.number)]
        first = min(chosen, key=lambda c: (c.due, c.number))
        return self.happen(events.TIMER_FIRED, TimerFired(first.number), first.due)

    def signal(self, name: str, payload: Any = None) -> Turn:
        number = len(self.history) + 1
        raw = None if payload is None else events.raw(json.dumps(payload))
        return self.happen(events.SIGNAL, MessageReceived(number, f"m{number}", name, raw))

    def cancel(self) -> Turn:
        number = len(self.history) + 1
        return self.happen(events.CANCEL, MessageReceived(number, f"m{number}"))

    # -- outcomes --

    @property
    def asked(self) -> list[str]:
        """The open commands in short: "step a", "timer 1.5", "receive x"."""
        return [short(command) for command in self.replay.open.values()]

    @property
    def finish(self) -> Finish:
        assert self.replay.finish is not None, f"waits for {self.asked}"
        return self.replay.finish

    @property
    def result(self) -> Any:
        assert self.finish.status == "completed", self.finish
        return json.loads(self.finish.payload)

    @property
    def error(self) -> list[str]:
        """Type and text of the failure."""
        assert self.finish.status == "failed", self.finish
        parts: list[str] = json.loads(self.finish.payload)
        return parts


def short(command: Command) -> str:
    match command:
        case StartTimer():
            return f"timer {(command.due - command.asked_at) / SECOND:g}"
        case Receive() | RunStep():
            return f"{command.kind} {command.name}"
    return command.kind


def driven_to_its_end(main: Main) -> Host:
    """Give the code all that it asks for: signals named "go" first, then steps, then timers."""
    host = Host(main)
    for _ in range(200):
        if host.replay.finished:
            return host
        if any(c.kind == "receive" and c.name == "go" for c in host.replay.open.values()):
            host.signal("go")
        elif any(c.kind == "step" for c in host.replay.open.values()):
            host.complete()
        else:
            host.fire()
    raise AssertionError("no end")
