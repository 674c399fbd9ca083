"""A plan follows from its seed; what cannot be is said in one sentence."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.chaos.__main__ import main
from tests.chaos.faults import FAULTS
from tests.chaos.plan import ALONE, MIX, SCENARIOS, plan_of


@pytest.mark.parametrize("scenario", [MIX, *SCENARIOS])
def test_the_same_seed_gives_the_same_plan(scenario: str) -> None:
    plans = [plan_of(scenario, seed, 5) for seed in range(20)]
    assert plans == [plan_of(scenario, seed, 5) for seed in range(20)]
    assert len({plan.strikes for plan in plans}) == len(plans)
    kinds = {strike.kind for plan in plans for strike in plan.strikes}
    assert kinds == (set(FAULTS) if scenario == MIX else set(SCENARIOS[scenario]))


@pytest.mark.parametrize("seed", range(20))
def test_nothing_else_strikes_while_a_culprit_is_looked_for(seed: int) -> None:
    strikes = plan_of(MIX, seed, 30).strikes
    assert all(before.at <= after.at for before, after in pairwise(strikes))
    for number, strike in enumerate(strikes):
        for other in strikes[number + 1 :]:
            if strike.kind in ALONE or other.kind in ALONE:
                assert other.at >= strike.at + strike.seconds


def test_what_a_machine_cannot_do_is_left_out() -> None:
    assert "partition" not in {
        strike.kind for strike in plan_of(MIX, 1, 30, frozenset({"partition"})).strikes
    }
    assert plan_of("partition", 1, 30, frozenset({"partition"})).strikes == ()


def test_an_unknown_scenario_is_one_sentence_with_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["chaos", "earthquake"])
    assert main() == 2
    said = f"there is no scenario 'earthquake': choose one of {MIX}, {', '.join(SCENARIOS)}\n"
    assert capsys.readouterr() == ("", said)
