"""A random workflow has one history, as `async def` or as plain `def`: replayed and evicted at every event."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.unit.replay.kit import Host, Main, rebuild
from tests.unit.replay.plain_programs import (
    BRANCHES,
    LEAVES,
    Program,
    awaiting,
    drive,
    plainly,
    programs,
)
from tests.unit.replay.plainly import digest
from tests.unit.replay.test_replay_versions import NONE, OTHERS, ROOT

HISTORY = 781297186
SEEN: dict[str, set[str]] = {"awaiting": set(), "plainly": set()}


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Programs drop errors on purpose; what is logged of them is another test's matter."""
    log = logging.getLogger("orquestrax.workflow")
    log.disabled = True
    yield
    log.disabled = False


def check(program: Program) -> None:
    """Each form live, with a replay after each event, and rebuilt at each event: event by event the same."""
    forms = awaiting(program, SEEN["awaiting"]), plainly(program, SEEN["plainly"])
    runs = [_run(form, program, evict=evict) for form in forms for evict in (False, True)]
    for run in runs[1:]:
        assert run == runs[0]
    for reader in forms:  # each reads what the other has written
        rebuild(reader, runs[0][0]).close()


def _run(main: Main, program: Program, *, evict: bool) -> tuple[Any, ...]:
    """The history, the end, and each turn's commands, without the lines that asked."""
    host = Host(main, evict=evict)
    try:
        drive(host, program.choices)
        turns = [
            [(command.number, command.kind, command.name, command.asked_at) for command in commands]
            for turn in host.turns
            for commands in (turn.commands, turn.abandoned)
        ]
        return host.history, host.replay.finish, turns, host.replay.unhandled()
    finally:
        host.replay.close()


def test_plain_histories_are_the_same_on_every_python() -> None:
    """What hard code does on Python 3.11, as one number: one recorded history fits all versions."""
    assert digest() == HISTORY


@pytest.mark.verify
@pytest.mark.skipif(not OTHERS, reason=NONE)
@pytest.mark.parametrize("python", OTHERS, ids=lambda python: python.parent.parent.name)
def test_on_the_other_pythons_of_this_machine(python: Path) -> None:
    done = subprocess.run(
        [python, "-m", "tests.unit.replay.plainly"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == HISTORY


@given(programs())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_plain_programs(program: Program) -> None:
    check(program)


@pytest.mark.verify
@pytest.mark.timeout(600)
def test_many_plain_programs() -> None:
    """And the generator reaches every construct, in both forms."""

    @given(programs())
    @settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
    def many(program: Program) -> None:
        check(program)

    many()
    everything = {*LEAVES, *BRANCHES}
    assert (SEEN["awaiting"], SEEN["plainly"]) == (everything, everything)
