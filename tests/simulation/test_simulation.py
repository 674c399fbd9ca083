"""The engine under a seeded scheduler: 300 seeds here, 2,000 in `make verify`, a million in `make nightly`.

ORQUESTRAX_SEEDS sets the number of the long run, ORQUESTRAX_FIRST_SEED where it begins.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.plan import DRAINS, FAULTS
from tests.simulation.run import Simulation, simulate
from tests.simulation.verdict import silence

FEW, CHUNKS = 300, 10
MANY = int(os.environ.get("ORQUESTRAX_SEEDS", "2000"))
FIRST = int(os.environ.get("ORQUESTRAX_FIRST_SEED", "0"))
PROJECT = Path(__file__).parents[2]


def check(seed: int) -> Simulation:
    """Every promise holds for this seed; if not, the failure says how to see it again."""
    simulation = simulate(seed)
    assert not simulation.problems, f"{simulation.problems}\nagain: python -m tests.simulation {seed}"
    return simulation


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_I1_to_I23_hold_whatever_strikes(chunk: int):
    for seed in range(chunk, FEW, CHUNKS):
        check(seed)


@pytest.mark.verify
@pytest.mark.timeout(0)
@pytest.mark.parametrize("chunk", range(4))
def test_I1_to_I23_hold_for_many_seeds(chunk: int):
    for seed in range(FIRST + chunk, FIRST + MANY, 4):
        check(seed)


def test_I14_counts_each_moment_of_overlapping_outages_once():
    outages = [(12, 16), (10, 14), (18, 19), (13, 14), (30, 40)]
    assert silence(outages, since=11, until=20) == pytest.approx(3e-6)
    assert silence(outages, since=17, until=33) == pytest.approx(12e-6)
    assert silence([], since=3, until=5) == pytest.approx(2e-6)


def test_the_same_seed_gives_the_same_trace():
    """In a process with another hash seed, too: nothing depends on the order of a set."""
    here = [line for seed in range(5) for line in check(seed).trace.text()]
    program = (
        "from tests.simulation.run import simulate\n"
        "for seed in range(5): print('\\n'.join(simulate(seed).trace.text()))"
    )
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "4711",
        "PYTHONPATH": f"{PROJECT}/src{os.pathsep}{PROJECT}",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == here


@pytest.mark.verify
def test_the_seeds_strike_everywhere():
    """What the plans promise is in them: each kind of fault, takeovers, queues, poison, and runs without any of it."""
    runs = [check(seed) for seed in range(1_000, 1_030)]
    kinds = {fault.kind for run in runs for fault in run.plan.faults}
    assert kinds == {*FAULTS, *DRAINS}
    assert any(run.plan.faultless for run in runs)
    assert any(run.effects.kills for run in runs)
    assert any(run.server.witnesses.swept for run in runs)
    verbs = {label.partition(" ")[0] for run in runs for _, _, label, answer in run.trace.lines if answer}
    assert {
        "write",
        "what_is_there",
        "owned",
        "declare",
        "note_takeovers",
        "claim_orders",
        "send_messages",
        "claim_tasks",
        "claim_failed",
        "complete_tasks",
        "release",
        "lead",
    } <= verbs
