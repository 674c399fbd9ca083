"""Random programs behave as on CPython's own loop: live, replayed from the start and resumed at every event.

300 of them belong to `make test`, 2,000 to `make verify`; ORQUESTRAX_PROGRAMS=50000 makes the latter more. A failure
shrinks and prints the program as Python source. Both tests count which constructs were reached, and demand a share.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.unit.replay.constructs import kinds
from tests.unit.replay.driver import check
from tests.unit.replay.programs import Program, drawn

from orquestrax.replay.loop import Loop

MANY = int(os.environ.get("ORQUESTRAX_PROGRAMS", "2000"))
PROGRAMS = st.randoms(use_true_random=False).map(lambda chance: drawn(chance, sys.version_info[:2]))
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Programs drop errors on purpose; what is logged of them is another test's matter."""
    log = logging.getLogger("orquestrax.workflow")
    log.disabled = True
    yield
    log.disabled = False


def _all_hold(examples: int) -> Counter[str]:
    """Check so many programs; in how many of them each construct was reached."""
    reached: Counter[str] = Counter()

    @given(PROGRAMS)
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    def holds(program: Program) -> None:
        ran = check(program)
        reached.update({name.rsplit("_", 1)[0] for _, name, what, *_ in ran.trace if what == "began"})

    holds()
    return reached


def _all_reached(reached: Counter[str], least: int) -> None:
    constructs = {*kinds(containers=False), *kinds(containers=True)}
    assert {construct: reached[construct] for construct in constructs if reached[construct] < least} == {}


def _table(reached: Counter[str], examples: int) -> str:
    """For the end of the run's output."""
    cells = [f"{reached[construct]:>6} {construct:<20}" for construct in sorted(reached)]
    rows = ["".join(cells[at : at + 4]) for at in range(0, len(cells), 4)]
    return "\n".join(
        [f"constructs of asyncio, and how many of {examples} random programs reached them", *rows]
    )


def test_programs(record_property: Any) -> None:
    reached = _all_hold(300)
    record_property("table", _table(reached, 300))
    _all_reached(reached, 3)


@pytest.mark.verify
@pytest.mark.timeout(3600)
def test_many_programs(record_property: Any) -> None:
    reached = _all_hold(MANY)
    record_property("table", _table(reached, MANY))
    _all_reached(reached, MANY // 100)


@pytest.mark.verify
def test_a_fault_of_the_loop_is_found_and_shown_as_a_program() -> None:
    """Timers that are due at once came before what was ready: only asyncio itself knows better."""

    def too_early(self: Any, due: int, handle: Any) -> Any:
        if due > self.now:
            return _SCHEDULE(self, due, handle)
        self.ready.append(handle)
        return handle

    @given(PROGRAMS)
    @settings(
        max_examples=1000,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate, Phase.shrink],
    )
    def holds(program: Program) -> None:
        check(program)

    with mock.patch.object(Loop, "_schedule", too_early), pytest.raises(AssertionError) as raised:
        holds()
    shown = "".join(note for note in raised.value.__notes__ if note.startswith("The program:"))
    assert 2 <= shown.count("async def") < 12
    assert "loop.call_later(0, order.append, 'due')" in shown or "timeout=0)" in shown


_SCHEDULE = Loop._schedule
