"""What clients of a plan do: instances that they start, and messages that they send to them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

ANYWHERE: Final = (
    "chain", "fan", "letters", "letters", "sleeper", "careful", "patient", "patient", "limited",
)  # fmt: skip
IN_CLUSTERS: Final = (*ANYWHERE, "spread", "spread", "hurried", "hurried", "devoted")


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


def jobs_of(dice: random.Random, nodes: int, *, in_cluster: bool, poisoned: bool) -> list[Job]:
    """The jobs of a plan. `by` is the node that starts it, -1 a process without an engine."""
    flows = IN_CLUSTERS if in_cluster else ANYWHERE
    jobs = [_job(dice, number, nodes, dice.choice(flows)) for number in range(dice.randint(2, 6))]
    if poisoned:
        jobs.append(_start(dice, len(jobs), nodes, "poison"))
    return jobs


def _job(dice: random.Random, number: int, nodes: int, flow: str) -> Job:
    job = _start(dice, number, nodes, flow)
    at = job.at
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


def _start(dice: random.Random, number: int, nodes: int, flow: str) -> Job:
    return Job(
        id=f"{flow}-{number}",
        flow=flow,
        input=_input(dice, flow),
        at=dice.random() ** 2 * 8,
        by=dice.randrange(-1, nodes),
        pending=dice.random() < 0.3,
    )


def _input(dice: random.Random, flow: str) -> int:
    if flow in ("sleeper", "patient", "limited", "hurried"):
        return dice.choice((1, 3, 20, 60))
    if flow == "poison":
        return dice.choice((1, 2, 9, 9))
    return dice.randint(1, 6)
