"""From a seed to a plan: how many nodes, what clients do, and which faults strike when.

Times are seconds. All faults are over by `calm_at`; what is not ended by `END` does not heal by itself.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from tests.simulation.jobs import Job, jobs_of
from tests.simulation.layout import Role, alone, clustered

LEASE: Final = 10.0
END: Final = 150.0
LONGEST: Final = 25.0  # longer than any body of a simulation
DRAINS: Final = ("drain", "drain and wait", "drain by order")
FAULTS: Final = ("kill", "kill", "freeze", "freeze", "thaw at death", "cut", "kill all", "outage")


@dataclass
class Fault:
    """Something strikes a node (or all) at a time, for a time. A drain is no fault, but it comes as suddenly."""

    at: float
    kind: str
    node: int
    seconds: float
    same_machine: bool = False


@dataclass
class Plan:
    """All that a seed decides beforehand; the rest is decided by the world's own dice.

    parts  what each node does; `clustered` if steps may go from one to another
    grace  seconds that bodies have on a node that ends cleanly
    """

    seed: int
    parts: list[Role]
    clustered: bool
    poisoned: bool
    poll: float
    park_after: float
    grace: float
    jobs: list[Job]
    faults: list[Fault]
    rates: dict[str, float]
    slow_commits: float
    refusing: float
    calm_at: float

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self.parts)

    @property
    def faultless(self) -> bool:
        """Whether nothing is lost, late or killed: then bodies run exactly once."""
        return not (
            self.faults or self.poisoned or self.slow_commits or self.refusing or any(self.rates.values())
        )

    @property
    def end(self) -> float:
        """When everything must have ended. Each death by poison takes a lease, and a trial."""
        return 2 * END if self.poisoned else END


def plan_of(seed: int) -> Plan:
    """The plan of a seed: every tenth is without faults, every other one a cluster with queues."""
    dice = random.Random(f"plan {seed}")
    nodes = dice.choice((2, 2, 3))
    calm, in_cluster = dice.random() < 0.1, dice.random() < 0.5
    poisoned = not calm and dice.random() < 0.08
    faults = [] if calm else _faults(dice, nodes, drains=dice.random() < 0.2, kills=not poisoned)
    return Plan(
        seed=seed,
        parts=clustered(dice, nodes) if in_cluster else alone(dice, nodes),
        clustered=in_cluster,
        poisoned=poisoned,
        poll=dice.choice((0.5, 1.0, 1.0, 2.0)),
        park_after=dice.choice((0.5, 2.0, 30.0)),
        grace=dice.choice((1.0, LONGEST, LONGEST)),
        jobs=jobs_of(dice, nodes, in_cluster=in_cluster, poisoned=poisoned),
        faults=faults,
        rates={} if calm else {
            "lost_before": dice.choice((0, 0, 0.002, 0.02)),
            "lost_after": dice.choice((0, 0, 0.002, 0.02, 0.05)),
            "slow": dice.choice((0, 0, 0.005)),
            "lost_hints": dice.choice((0, 0.3, 1.0)),
        },
        slow_commits=0.0 if calm else dice.choice((0, 0, 0.01, 0.03)),
        refusing=0.0 if calm else dice.choice((0, 0, 0, 0.02)),
        calm_at=max([30.0, *(fault.at + fault.seconds for fault in faults)]),
    )  # fmt: skip


def _faults(dice: random.Random, nodes: int, *, drains: bool, kills: bool) -> list[Fault]:
    """What strikes, in order. With poison about nobody else kills a node: then who is convicted has done it."""
    kinds = [kind for kind in FAULTS if kills or not kind.startswith("kill")]
    found = [_fault(dice, dice.choice(kinds), nodes) for _ in range(dice.randint(0, 3))]
    if drains:
        found += [_fault(dice, dice.choice(DRAINS), nodes) for _ in range(dice.randint(1, 3))]
    return sorted(found, key=lambda fault: fault.at)


def _fault(dice: random.Random, kind: str, nodes: int) -> Fault:
    seconds = dice.choice((0.5, 0.99, 1.5, 2.0)) * LEASE if kind in ("freeze", "cut") else dice.random() * 5
    if kind == "outage":  # of the database: no node is to blame
        seconds = dice.choice((2.0, 8.5, 9.5, 15.0))
    if kind == "thaw at death":
        seconds = 5 * LEASE  # at the latest
    return Fault(dice.random() * 15, kind, dice.randrange(nodes), seconds, same_machine=dice.random() < 0.5)
