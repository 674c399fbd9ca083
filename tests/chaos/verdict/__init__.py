"""The verdict on a run: every broken promise, and the figures."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.report import Report, Violation
from tests.chaos.verdict.bodies import causes_of, judge_bodies
from tests.chaos.verdict.evidence import Evidence
from tests.chaos.verdict.figures import fill
from tests.chaos.verdict.instances import judge_instance
from tests.chaos.verdict.timers import Timer, judge_timers
from tests.chaos.verdict.whole import judge_whole


def judge(evidence: Evidence, report: Report) -> None:
    """Complete a report: violations behind those that the run itself has seen, then figures."""
    timers: list[Timer] = []
    report.violations += [*_violations(evidence, timers)]
    fill(report, evidence, timers, causes_of(evidence))


def _violations(evidence: Evidence, timers: list[Timer]) -> Iterator[Violation]:
    for case in evidence.cases.values():
        broken = judge_instance(case, timers)
        if broken is not None:
            yield broken
    yield from judge_bodies(evidence)
    yield from judge_timers(evidence, timers)
    yield from judge_whole(evidence)
