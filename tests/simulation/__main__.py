"""`python -m tests.simulation SEED…` repeats seeds, and prints what happened in those that broke a promise."""

from __future__ import annotations

import sys

from tests.simulation.run import simulate

for seed in map(int, sys.argv[1:]):
    simulation = simulate(seed)
    if simulation.problems:
        print("\n".join(simulation.trace.text()))
    print(f"seed {seed}: {simulation.problems or 'every promise was kept'}")
