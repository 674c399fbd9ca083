"""Each rule that is taken away is noticed: the simulation can fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulation.mutants import MUTANTS, SEEDS, Mutant, first_caught
from tests.simulation.run import simulate

QUICK = ("no mail counter", "hint instead of sweep", "unknown counts as committed")


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.name in QUICK], ids=lambda m: m.name)
def test_the_simulation_notices(mutant: Mutant):
    assert first_caught(mutant) is not None, f"{mutant.name}: unnoticed by {SEEDS} seeds"


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_each_mutant_is_caught(mutant: Mutant, record_property: Callable[[str, object], None]):
    caught = first_caught(mutant)
    assert caught is not None, f"{mutant.name}: unnoticed by {SEEDS} seeds"
    assert not simulate(caught.seed).problems, f"{mutant.name}: the rule was not given back"
    record_property("table", f"mutant: {mutant.name:45} seed {caught.seed:4}  {caught.problem[:100]}")
