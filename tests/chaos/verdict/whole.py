"""What concerns the run as a whole: acknowledged starts, answers, writes of the dead, deaths without a reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.chaos.report import Violation
from tests.chaos.verdict.evidence import Evidence, Incarnation
from tests.chaos.verdict.timers import AFTERMATH

ENDS_ANY: Final = frozenset({"poison", "postgres"})
"""Faults that may be the end of any node: what they do is not aimed at one."""


def judge_whole(evidence: Evidence) -> Iterator[Violation]:
    """I1, I3, I4, I14 and I23."""
    for id_, calls in evidence.calls.items():
        if calls[0].outcome == "ok" and id_ not in evidence.cases:
            yield Violation(promise="I1", instance=id_, text="its start was acknowledged and is lost")
        for call in calls:
            if not call.over:
                text = f"{call.kind} {call.message} got no answer ({call.outcome or 'never asked'})"
                yield Violation(promise="I23", instance=id_, text=text)
    for write in evidence.late_writes:
        yield Violation(promise="I4", instance="", text=write)
    if evidence.unseen:
        text = f"{evidence.unseen} events were changed or removed after they had been written"
        yield Violation(promise="I3", instance="", text=text)
    for incarnation in evidence.incarnations.values():
        if incarnation.status == "dead" and not _had_reason(incarnation, evidence):
            text = (
                f"node {incarnation.fence} was declared dead ({incarnation.cause}), and nothing had struck it"
            )
            yield Violation(promise="I14", instance="", text=text)
        if incarnation.status == "alive":
            text = f"node {incarnation.fence} was told to end and is alive"
            yield Violation(promise="I23", instance="", text=text)


def _had_reason(dead: Incarnation, evidence: Evidence) -> bool:
    """Whether a fault had hit its process by then, and not long before its last sign of life."""
    assert dead.ended_at is not None
    return any(
        (dead.pid in window.hit or window.kind in ENDS_ANY)
        and window.began <= dead.ended_at
        and window.ended + AFTERMATH >= dead.seen_at
        for window in evidence.windows
    )
