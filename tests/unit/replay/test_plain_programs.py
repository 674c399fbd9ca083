"""A random workflow has one history, as `async def` or as plain `def`: replayed and evicted at every event."""

from __future__ import annotations

import logging
from collections.abc import Iterator
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
