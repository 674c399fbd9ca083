"""The figures of a report."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from orquestrax.core.store.clientverbs import Takeover
from tests.chaos.report import Outcomes, Report, Spread
from tests.chaos.verdict.evidence import Evidence, Incarnation
from tests.chaos.verdict.timers import Timer, struck_by

AMID: Final = ", amid other faults"


def fill(report: Report, evidence: Evidence, timers: Sequence[Timer], extra: dict[str, int]) -> None:
    """Everything that can be counted."""
    _count_operations(report, evidence)
    report.instances = dict(Counter(case.view.status for case in evidence.cases.values()))
    report.bodies = sum(len(case.bodies) for case in evidence.cases.values())
    report.extra = extra
    dead = [node for node in evidence.incarnations.values() if node.status == "dead"]
    report.deaths = dict(Counter(str(node.cause) for node in dead))
    _measure_takeovers(report, evidence)
    struck = [bool(struck_by(timer, evidence.windows, evidence.offset)) for timer in timers]
    report.timers = Spread.of(t.late for t, hit in zip(timers, struck, strict=True) if not hit)
    report.timers_struck = Spread.of(t.late for t, hit in zip(timers, struck, strict=True) if hit)
    _find_gap(report, evidence)


def _count_operations(report: Report, evidence: Evidence) -> None:
    counts = Counter((operation.kind, operation.outcome) for operation in evidence.operations)
    for (kind, outcome), times in sorted(counts.items()):
        for outcomes in (report.operations, report.by_kind.setdefault(kind, Outcomes())):
            setattr(outcomes, outcome, getattr(outcomes, outcome) + times)


def _measure_takeovers(report: Report, evidence: Evidence) -> None:
    """For each node that died: until the last node had gone on with the last of its instances."""
    last: dict[int, Takeover] = {}
    for takeover in (each for each in evidence.takeovers if each.instances):
        if takeover.dead not in last or takeover.last_at > last[takeover.dead].last_at:
            last[takeover.dead] = takeover
    spreads = defaultdict[str, list[float]](list)
    for fence, takeover in last.items():
        dead = evidence.incarnations[fence]
        kind = f"{dead.cause}{'' if _alone(takeover, dead, evidence) else AMID}"
        spreads[kind].append((takeover.last_at - takeover.lost_at) / 1_000_000)
    report.takeovers = {kind: Spread.of(seconds) for kind, seconds in spreads.items()}


def _alone(takeover: Takeover, dead: Incarnation, evidence: Evidence) -> bool:
    """Whether nothing but its own death was in the way, so that the promise (I14) is about it."""
    since, until = (
        takeover.lost_at / 1_000_000 - evidence.offset,
        takeover.last_at / 1_000_000 - evidence.offset,
    )
    struck = [window for window in evidence.windows if window.began <= until and window.ended >= since]
    return len(struck) == 1 and struck[0].hit == {dead.pid}


def _find_gap(report: Report, evidence: Evidence) -> None:
    heard = sorted(operation.ended for operation in evidence.operations if operation.outcome == "ok")
    gaps = ((after - before, before, after) for before, after in itertools.pairwise(heard))
    length, since, until = max(gaps, default=(0.0, 0.0, 0.0))
    report.gap = round(length, 2)
    report.gap_in = sorted({w.kind for w in evidence.windows if w.began < until and w.ended > since})
