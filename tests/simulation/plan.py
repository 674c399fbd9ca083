"""From a seed to a plan: how many nodes, what clients do, and which faults strike when.

Times are seconds. All faults are over by `calm_at`; what is not ended by `END` does not heal by itself.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

LEASE: Final = 10.0
END: Final = 150.0
FAULTS: Final = ("kill", "kill", "freeze", "freeze", "thaw at death", "cut", "kill all", "outage")


@dataclass
class Job:
    """One instance from a client's point of view: started then, and messages to it, in order."""

    id: str
    flow: str
    input: int
    at: float
    by: int
    pending: bool
    messages: list[tuple[float, str, str]] = field(default_factory=list)


@dataclass
class Fault:
    """Something strikes a node (or all) at a time, for a time."""

    at: float
    kind: str
    node: int
    seconds: float
    same_machine: bool = False


@dataclass
class Plan:
    """All that a seed decides beforehand; the rest is decided by the world's own dice."""

    seed: int
    nodes: int
    poll: float
    park_after: float
    slots: int
    jobs: list[Job]
    faults: list[Fault]
    rates: dict[str, float]
    slow_commits: float
    refusing: float
    calm_at: float

    @property
    def faultless(self) -> bool:
        """Whether nothing is lost, late or killed: then bodies run exactly once."""
        return (
            not self.faults and not self.slow_commits and not self.refusing and not any(self.rates.values())
        )


def plan_of(seed: int) -> Plan:
    """The plan of a seed: every tenth is without faults."""
    dice = random.Random(f"plan {seed}")
    nodes = dice.choice((2, 2, 3))
    calm = dice.random() < 0.1
    faults = (
        [] if calm else sorted((_fault(dice, nodes) for _ in range(dice.randint(0, 3))), key=lambda f: f.at)
    )
    return Plan(
        seed=seed,
        nodes=nodes,
        poll=dice.choice((0.5, 1.0, 1.0, 2.0)),
        park_after=dice.choice((0.5, 2.0, 30.0)),
        slots=dice.choice((2, 100)),
        jobs=[_job(dice, number, nodes) for number in range(dice.randint(2, 6))],
        faults=faults,
        rates={} if calm else {
            "lost_before": dice.choice((0, 0, 0.002, 0.02)),
            "lost_after": dice.choice((0, 0, 0.002, 0.02)),
            "slow": dice.choice((0, 0, 0.005)),
            "lost_hints": dice.choice((0, 0.3, 1.0)),
        },
        slow_commits=0.0 if calm else dice.choice((0, 0, 0.01, 0.03)),
        refusing=0.0 if calm else dice.choice((0, 0, 0, 0.02)),
        calm_at=max([30.0, *(fault.at + fault.seconds for fault in faults)]),
    )  # fmt: skip


def _job(dice: random.Random, number: int, nodes: int) -> Job:
    flow = dice.choice(
        ("chain", "fan", "letters", "letters", "sleeper", "careful", "patient", "patient", "limited")
    )
    at = dice.random() ** 2 * 8
    job = Job(
        id=f"{flow}-{number}",
        flow=flow,
        input=_input(dice, flow),
        at=at,
        by=dice.randrange(-1, nodes),  # -1: a process without an engine
        pending=dice.random() < 0.3,
    )
    letters = job.input + dice.choice((0, 0, 0, 1)) if flow == "letters" else dice.choice((0, 1))
    times = sorted(at + dice.random() * 12 for _ in range(letters))
    job.messages = [(when, "signal", str(n)) for n, when in enumerate(times)]
    if dice.random() < 0.15:
        when = at + dice.random() * 8
        job.messages += [(when, "pause", ""), (when + dice.random() * 6, "resume", "")]
        job.messages.sort(key=lambda message: message[0])
    if dice.random() < 0.15:
        when = at + dice.random() * 15
        job.messages.append((when, dice.choice(("cancel", "cancel", "terminate")), ""))
        job.messages.sort(key=lambda message: message[0])
    return job


def _input(dice: random.Random, flow: str) -> int:
    if flow in ("sleeper", "patient", "limited"):
        return dice.choice((1, 3, 20, 60))
    return dice.randint(1, 6)


def _fault(dice: random.Random, nodes: int) -> Fault:
    kind = dice.choice(FAULTS)
    seconds = dice.choice((0.5, 0.99, 1.5, 2.0)) * LEASE if kind in ("freeze", "cut") else dice.random() * 5
    if kind == "outage":  # of the database: no node is to blame
        seconds = dice.choice((2.0, 8.5, 9.5, 15.0))
    if kind == "thaw at death":
        seconds = 5 * LEASE  # at the latest
    return Fault(dice.random() * 15, kind, dice.randrange(nodes), seconds, same_machine=dice.random() < 0.5)
