"""Chaos: real nodes on a real PostgreSQL, clients that never stop, and faults that strike all of it.

    python -m tests.chaos SCENARIO [--seed S] [--minutes M]       what `make chaos` and `make soak` call

From a seed comes a *plan* (`plan.py`): how many nodes, and which faults strike when. A *run* (`run.py`) starts a
PostgreSQL of its own and the nodes (`cluster.py`), lets clients loose (`load.py`) who note down every operation as ok,
failed or unknown (`operations.py`), and carries the plan out; one file each in `faults/`. Bodies of steps leave a line
outside the database (`flows.py`). After the last fault everything must heal by itself; then the *verdict* (`verdict/`)
reads all histories, the operations and the lines, with the checker that all tests share (`tests/checker.py`), and the
*report* (`report.py`) goes to `.artifacts`.

A run cannot be repeated to the letter, as the simulation can: the plan is the same for the same seed, the machine is
not. So everything that a verdict needs is kept in the folder of the run until the next one.
"""
