"""From a seed to a plan: which faults strike when, whom, and for how long."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from tests.chaos.cluster import LEASE

SCENARIOS: Final[dict[str, tuple[str, ...]]] = {
    "commits": ("commits",),
    "frozen": ("frozen",),
    "killed": ("killed", "killed", "killed in takeover", "killed all"),
    "postgres": ("postgres",),
    "partition": ("partition",),
    "hints": ("hints",),
    "poison": ("poison",),
    "clocks": ("clocks",),
    "drained": ("drained",),
}
"""By name, the kinds of faults that it has."""
MIX: Final = "soak"
ALONE: Final = frozenset({"poison"})
"""While one of these is at work no other begins: three deaths of others would put the blame on the innocent."""
FIRST: Final = 5.0
FREEZES: Final = (0.5, 0.99, 1.5, 1.5, 3.0)
LONGEST: Final = 10.0
OVERLAPS: Final = 0.3  # how often the next fault begins while this one is at work


@dataclass(frozen=True)
class Strike:
    """One fault: `seed` decides what the kind leaves open, `node` is the number of the node that it is about."""

    number: int
    kind: str
    at: float
    seconds: float
    node: int
    seed: str


@dataclass(frozen=True)
class Plan:
    """`homes` has a name for each node: who shares one sees the other's death at once."""

    scenario: str
    seed: int
    minutes: float
    homes: tuple[str, ...]
    strikes: tuple[Strike, ...]


def plan_of(scenario: str, seed: int, minutes: float, without: frozenset[str] = frozenset()) -> Plan:
    """The plan of a seed, without kinds of faults that this machine cannot do."""
    dice = random.Random(f"chaos {scenario} {seed}")
    mixed = [one for kinds in SCENARIOS.values() for one in kinds]
    kinds = [kind for kind in (mixed if scenario == MIX else SCENARIOS[scenario]) if kind not in without]
    strikes: list[Strike] = []
    at, busy_until = FIRST, 0.0
    while kinds:
        kind = _next(kinds, strikes, dice)
        alone = kind in ALONE
        at = (busy_until + 2 if alone else at) + dice.random() * 3
        if at > minutes * 60 - FIRST:
            break
        seconds = _seconds(kind, minutes, dice)
        number = len(strikes)
        strikes.append(Strike(number, kind, at, seconds, dice.randrange(4), f"{scenario} {seed} {number}"))
        busy_until = max(busy_until, at + seconds)
        overlaps = not alone and dice.random() < OVERLAPS
        at = at + dice.random() * seconds if overlaps else busy_until + dice.random() * 5
    return Plan(scenario, seed, minutes, ("one", "one", "two", "three"), tuple(strikes))


def _next(kinds: list[str], strikes: list[Strike], dice: random.Random) -> str:
    """Each kind once before any comes again, so that a short run has most of them."""
    seen = [strike.kind for strike in strikes]
    least = min(seen.count(kind) / kinds.count(kind) for kind in kinds)
    return dice.choice([kind for kind in kinds if seen.count(kind) / kinds.count(kind) == least])


def _seconds(kind: str, minutes: float, dice: random.Random) -> float:
    """How long it is at work, or may be."""
    if kind == "frozen":
        return LEASE * dice.choice((*FREEZES, LONGEST) if minutes > LONGEST else FREEZES)
    if kind == "partition":
        return LEASE * dice.choice((0.5, 1.5, 3.0))
    if kind == "poison":
        return 20 * LEASE  # at most: it is over when the culprit is convicted
    if kind in ("commits", "hints", "clocks"):
        return 4 + dice.random() * 8
    return 1 + dice.random() * LEASE
