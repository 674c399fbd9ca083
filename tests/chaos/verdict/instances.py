"""One instance at a time, by the checker that all tests share."""

from __future__ import annotations

import re
from typing import Final

from orquestrax.model.states import TERMINAL
from tests.chaos.flows import FLOWS
from tests.chaos.report import Violation
from tests.chaos.verdict.evidence import Case
from tests.chaos.verdict.timers import Timer
from tests.checker import check_calls, check_history, check_results, ran, replay_again

LONGEST: Final = 500  # characters: some results are large
PROMISE: Final = re.compile(r"(I\d+): (.*)", re.DOTALL)


def judge_instance(case: Case, timers: list[Timer]) -> Violation | None:
    """What is broken first; None if nothing is. Timers that fired are added to the list."""
    if case.view.status == "blocked" and case.flow != "poisoned":
        return Violation(promise="I18", instance=case.view.id, text=f"it is blocked: {case.view.blocked}")
    if case.view.status not in TERMINAL:
        return Violation(promise="I23", instance=case.view.id, text=f"it is {case.view.status} in the end")
    try:
        _check(case, timers)
    except Exception as error:
        said = PROMISE.fullmatch(str(error))
        promise, text = said.groups() if said else ("I19", f"{type(error).__name__}: {error}")
        return Violation(promise=promise, instance=case.view.id, text=text[:LONGEST])
    return None


def _check(case: Case, timers: list[Timer]) -> None:
    history = check_history(case.view, case.stored, case.inbox)
    if case.flow != "poisoned":
        check_results(history, case.bodies)
    check_calls(history, [call for call in case.calls if call.kind != "result"], case.view.status)
    if ran(case.view, history):
        steered = any(call.kind == "pause" for call in case.calls)
        fired = replay_again(FLOWS[case.view.definition], case.view, history)
        timers += [] if steered else [Timer(case.view.id, due, at) for due, at in fired]
