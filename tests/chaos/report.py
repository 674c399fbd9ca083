"""What a run came to: JSON in `.artifacts`, and a few lines for people.

`.artifacts/soak.json` is the report of the last `soak`, `.artifacts/chaos-<scenario>.json` of each other scenario.
Durations are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

import msgspec

FOLDER: Final = Path(__file__).parents[2] / ".artifacts"


class Outcomes(msgspec.Struct, kw_only=True):
    """Operations of clients, each try counted: acknowledged, refused for a reason, or without a known outcome."""

    ok: int = 0
    failed: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        return self.ok + self.failed + self.unknown


class Spread(msgspec.Struct, kw_only=True, frozen=True):
    """How durations are spread; zeros if there were none (`n` is 0)."""

    n: int = 0
    p50: float = 0.0
    p95: float = 0.0
    max: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Of these seconds."""
        ranked = sorted(values)
        if not ranked:
            return cls()
        p50, p95 = (ranked[min(len(ranked) - 1, int(len(ranked) * part))] for part in (0.5, 0.95))
        return cls(n=len(ranked), p50=round(p50, 3), p95=round(p95, 3), max=round(ranked[-1], 3))

    def __str__(self) -> str:
        return (
            f"p50 {self.p50:.2f} s, p95 {self.p95:.2f} s, max {self.max:.2f} s ({self.n})"
            if self.n
            else "none"
        )


class Violation(msgspec.Struct, kw_only=True, frozen=True):
    """A broken promise: its number (such as "I8"), the instance or "" for the whole, and one sentence."""

    promise: str
    instance: str
    text: str


class Report(msgspec.Struct, kw_only=True):
    """One run.

    command      what repeats its plan
    lease, heartbeat, poll  L, H and P of the promises, as the nodes were told
    minutes      for how long the clients were at it; `seconds` is the whole run with its verdict
    operations   every try of every client; `by_kind` the same by what was asked (start, signal, cancel, result …)
    faults       how often each kind struck; `skipped` says what this machine could not do, and how it can
    instances    by their final status
    bodies       how often bodies of steps ran; `extra` those that ran again, by recorded cause
    deaths       incarnations that were declared dead, by how it was noticed: `gone` or `silent`
    takeovers    from a node's last sign of life until the last of its instances went on, by the same; those during
                 which anything else was struck, too (other nodes, the database), stand apart
    timers       how late timers fired by the database's clock, while no fault was at work or had just been
    timers_struck  the same of all others; the longest of them are outages
    gap          the longest time between two successes of clients; `gap_in` are the faults during it
    healed       from the end of the faults and of the load until nothing was under way any more
    drains       from SIGTERM to the end of the process
    """

    scenario: str
    seed: int
    command: str
    minutes: float
    nodes: int
    lease: float
    heartbeat: float
    poll: float
    began_at: str
    commit: str
    seconds: float = 0.0
    operations: Outcomes = msgspec.field(default_factory=Outcomes)
    by_kind: dict[str, Outcomes] = {}
    faults: dict[str, int] = {}
    skipped: list[str] = []
    instances: dict[str, int] = {}
    bodies: int = 0
    extra: dict[str, int] = {}
    violations: list[Violation] = []
    deaths: dict[str, int] = {}
    takeovers: dict[str, Spread] = {}
    timers: Spread = Spread()
    timers_struck: Spread = Spread()
    gap: float = 0.0
    gap_in: list[str] = []
    healed: float = 0.0
    drains: Spread = Spread()

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return FOLDER / ("soak.json" if self.scenario == "soak" else f"chaos-{self.scenario}.json")

    def write(self) -> None:
        """Keep it; the one before is replaced."""
        FOLDER.mkdir(exist_ok=True)
        self.path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    def lines(self) -> Iterator[str]:
        """The closing lines."""
        done = self.operations
        shape = f"{self.nodes} nodes, {self.minutes:g} min of load, {self.seconds:.0f} s in all"
        yield f"{self.scenario}, seed {self.seed}: {shape}"
        yield f"operations: {done.ok} ok, {done.failed} failed, {done.unknown} unknown"
        yield f"instances: {_counts(self.instances)}"
        yield f"faults: {_counts(self.faults)}; deaths: {_counts(self.deaths)}"
        yield f"bodies: {self.bodies}, run again: {_counts(self.extra)}"
        for cause, spread in sorted(self.takeovers.items()):
            yield f"takeover ({cause}): {spread}"
        yield f"timers late: {self.timers}; where a fault was: {self.timers_struck}"
        yield f"longest gap between two successes: {self.gap:.1f} s ({', '.join(self.gap_in) or 'no fault'})"
        yield f"all at rest {self.healed:.1f} s after faults and load; drain: {self.drains}"
        yield from (f"not done here: {what}" for what in self.skipped)
        yield from (f"VIOLATION {v.promise} {v.instance}: {v.text}" for v in self.violations[:50])
        yield f"violations: {len(self.violations)}; report: {self.path}; again: {self.command}"


def read_report(path: Path) -> Report:
    """A report that was kept. Raises OSError, msgspec.DecodeError."""
    return msgspec.json.decode(path.read_bytes(), type=Report)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none"
