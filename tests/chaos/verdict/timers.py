"""How late timers fired, and whether that was too late (I12)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tests.chaos.cluster import HEARTBEAT, LEASE, POLL
from tests.chaos.report import Violation
from tests.chaos.verdict.evidence import Evidence, Window

SLACK: Final = 30.0  # seconds: the machine may be busy with other things; the figures say how late they were
AFTERMATH: Final = LEASE + HEARTBEAT + POLL + 1.0  # seconds in which a fault that is over may still be felt


class Timer(NamedTuple):
    """One that has fired, of an instance that nobody had paused; times of the database in µs."""

    instance: str
    due: int
    at: int

    @property
    def late(self) -> float:
        """Seconds."""
        return (self.at - self.due) / 1_000_000


def struck_by(timer: Timer, windows: Sequence[Window], offset: float) -> list[Window]:
    """The faults that were at work, or had just been, between its due time and its firing."""
    due, at = timer.due / 1_000_000 - offset, timer.at / 1_000_000 - offset
    return [window for window in windows if window.began <= at and window.ended + AFTERMATH >= due]


def judge_timers(evidence: Evidence, timers: Sequence[Timer]) -> Iterator[Violation]:
    """At most P + 1 s late; after faults of a length D at most D + L + P + 1 s."""
    for timer in timers:
        if timer.late <= POLL + 1 + SLACK:
            continue
        struck = struck_by(timer, evidence.windows, evidence.offset)
        outage = sum(window.ended - window.began for window in struck)
        allowed = POLL + 1 + SLACK + (outage + LEASE if struck else 0)
        if timer.late > allowed:
            yield Violation(
                promise="I12", instance=timer.instance, text=f"a timer fired {timer.late:.1f} s late"
            )
