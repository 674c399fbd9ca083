"""Runs a program as a workflow: live, replayed from the start and evicted and resumed at every event, at once."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.unit.replay import kit
from tests.unit.replay.kit import BEGAN, Host, rebuild, standing
from tests.unit.replay.oracle import judge
from tests.unit.replay.programs import Program
from tests.unit.replay.running import Run, describe

import orquestrax.replay.context as ox
from orquestrax.model.commands import Receive, RunStep
from orquestrax.model.events import Event
from orquestrax.replay.instance import Replay


class Described(Exception):
    """A failure as the oracle describes it."""


class Workflow:
    """A program as a workflow: makes a fresh run for each instance, and keeps their traces in order."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.traces: list[list[Any]] = []

    async def __call__(self) -> Any:
        run = Run(self.program, step=_step, fail=_fail, receive=_receive)
        self.traces.append(run.trace)
        try:
            return await run.main()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise Described(describe(error)) from error


async def _step(number: int, seconds: float) -> Any:
    return await kit.step(f"step {number} {round(seconds * 1e6)}")


async def _fail(number: int, seconds: float) -> Any:
    return await kit.step(f"fail {number} {round(seconds * 1e6)}")


async def _receive(name: str) -> Any:
    return await ox.receive(name, int)


class Twice(Host):
    """A host whose instance goes on in memory, beside another one that is evicted and rebuilt at every event."""

    resumed: Replay | None = None

    def _compare(self) -> None:
        if self.resumed is not None:
            self.resumed.apply(self.history[-1])
            assert standing(self.resumed) == standing(self.replay)
            self.resumed.close()
        self.resumed = rebuild(self.main, self.history, **self.names)
        assert standing(self.resumed) == standing(self.replay)

    def close(self) -> None:
        self.replay.close()
        if self.resumed is not None:
            self.resumed.close()


class Driver:
    """Feeds a host with what is due next, until the end or until nothing is."""

    def __init__(self, program: Program, host: Host) -> None:
        self.host = host
        self.signals = [(BEGAN + at, name, n) for n, (at, name) in enumerate(program.signals)]
        self.cancel = None if program.cancel is None else BEGAN + program.cancel

    def drive(self) -> Any:
        while not self.host.replay.finished:
            if not self._next():
                return "stuck"
        finish = self.host.finish
        if finish.status == "cancelled":
            return "cancelled"
        payload = json.loads(finish.payload)
        return ["failed", payload[1]] if finish.status == "failed" else ["completed", payload]

    def _next(self) -> bool:
        due: list[tuple[int, str, Any]] = [
            (_due(command), "command", command)
            for command in self.host.replay.open.values()
            if not isinstance(command, Receive)
        ]
        due += [(at, "signal", (name, n)) for at, name, n in self.signals[:1]]
        due += [(self.cancel, "cancel", None)] if self.cancel is not None else []
        if not due:
            return False
        self._apply(*min(due, key=lambda each: each[0]))
        return True

    def _apply(self, at: int, kind: str, what: Any) -> None:
        host = self.host
        host.now = at - 1  # the host's clock ticks once for each event
        if kind == "signal":
            self.signals.pop(0)
            host.signal(*what)
        elif kind == "cancel":
            self.cancel = None
            host.cancel()
        elif not isinstance(what, RunStep):
            host.fire(what.number)
        elif what.name.startswith("fail"):
            host.fail(what.number, what.name.split()[1])
        else:
            host.complete(what.number, int(what.name.split()[1]))


def _due(command: Any) -> int:
    if isinstance(command, RunStep):
        return command.asked_at + int(command.name.split()[2])
    return int(command.due)


@dataclass(frozen=True)
class Ran:
    """What a program came to: its outcome, its trace, and the history."""

    outcome: Any
    trace: list[Any]
    history: list[Event]


def drive(program: Program) -> Ran:
    """Run a program live, comparing at every event."""
    workflow = Workflow(program)
    host = Twice(workflow)
    with _nothing_unraisable():
        try:
            outcome = Driver(program, host).drive()
            live, resumed = list(workflow.traces[0]), list(workflow.traces[-1])
        finally:
            host.close()
    assert resumed == live
    return Ran(outcome, live, host.history)


def check(program: Program) -> Ran:
    """The same, against CPython's loop. A failure shows the program."""
    try:
        expected, trace = judge(program)
        ran = drive(program)
        assert (ran.outcome, ran.trace) == (json.loads(json.dumps(expected, default=str)), trace)
    except BaseException as error:
        error.add_note(f"The program:\n\n{program!r}")
        raise
    return ran


@contextmanager
def _nothing_unraisable() -> Iterator[None]:
    """Closing an instance makes no sound, not even where nobody can hear it."""
    heard: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, heard.append
    try:
        yield
    finally:
        sys.unraisablehook = before
    assert not heard, heard
