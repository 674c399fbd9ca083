"""Random programs behave as on CPython's own loop: live, replayed, and rebuilt at every event."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from tests.unit.replay import kit
from tests.unit.replay.kit import BEGAN, Host
from tests.unit.replay.oracle import judge
from tests.unit.replay.programs import Node, Program, Run, describe, programs, seeded

import orquestrax.replay.context as ox
from orquestrax.model.commands import Receive, RunStep


@pytest.fixture(autouse=True)
def quiet_log() -> Any:
    """Programs drop errors on purpose; what is logged of them is another test's matter."""
    log = logging.getLogger("orquestrax.workflow")
    log.disabled = True
    yield
    log.disabled = False


class Workflow:
    """A program as a workflow: makes a fresh run for each instance, and keeps the latest one's trace."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.traces: list[list[Any]] = []

    async def __call__(self) -> Any:
        run = Run(self._step, self._receive)
        self.traces.append(run.trace)
        try:
            return await run.run(self.program.root)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise Described(describe(error)) from error

    @staticmethod
    async def _step(node: Node) -> Any:
        return await kit.step(f"{node.kind} {node.number} {node.micros}")

    @staticmethod
    async def _receive(name: str) -> Any:
        return await ox.receive(name, int)


class Described(Exception):
    """A failure as the oracle describes it."""


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


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def check(program: Program) -> None:
    """Live with a replay after every event, then rebuilt at every event, against CPython's loop."""
    expected, trace = judge(program)
    live, rebuilt = _run(program, evict=False), _run(program, evict=True)
    assert live == (as_json(expected), trace, rebuilt[2])
    assert rebuilt == live


def _run(program: Program, *, evict: bool) -> tuple[Any, list[Any], list[Any]]:
    """Outcome, trace and history."""
    workflow = Workflow(program)
    host = Host(workflow, evict=evict)
    try:
        outcome = Driver(program, host).drive()
        return outcome, list(workflow.traces[-1 if evict else 0]), host.history
    finally:
        host.replay.close()


def test_histories_are_the_same_on_every_python_version() -> None:
    """What the seeded programs did on Python 3.11, as one number: one recorded history fits all versions."""
    digest = 0
    for seed in range(250):
        outcome, trace, history = _run(seeded(seed), evict=False)
        digest = crc32(
            repr((outcome, trace, [msgspec.structs.astuple(event) for event in history])).encode(), digest
        )
    assert digest == 2034644399


@given(programs())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_programs(program: Program) -> None:
    check(program)


@pytest.mark.verify
@given(programs())
@settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_programs(program: Program) -> None:
    check(program)
