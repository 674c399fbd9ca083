"""Bodies that ran again: each for a recorded cause, at-most-once ones never, transactional ones with one effect."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec

from orquestrax.model import events
from tests.chaos.report import Violation
from tests.chaos.verdict.evidence import Case, Evidence, Noted

NODES: Final = 4
"""So many may die of a poison body (I18): three, and one more where another suspect came to the node of its trial."""
TRANSACTIONAL: Final = "book"


def judge_bodies(evidence: Evidence) -> Iterator[Violation]:
    """I8, I9 and I18."""
    for case in evidence.cases.values():
        for again, cause in _repeats(case, evidence):
            if cause is None:
                yield _violation(
                    "I8", again, f"{again.token} of {again.step} ran again without a recorded cause"
                )
        yield from _at_most_once(case)
        yield from _transactional(case, evidence.bookings)
    for body in evidence.strays:
        yield _violation("I8", body, f"{body.token} ran for an instance that is not stored")
    booked_twice = [token for token, times in evidence.bookings.items() if times > 1]
    for token in booked_twice:
        yield Violation(promise="I9", instance=token.partition("/")[0], text=f"{token} took effect twice")


def causes_of(evidence: Evidence) -> dict[str, int]:
    """Runs of bodies beyond the first of their step, by cause."""
    found = Counter[str]()
    for case in evidence.cases.values():
        found.update(cause or "none" for _, cause in _repeats(case, evidence))
        found["retry"] += len({(body.command, body.attempt) for body in case.bodies if body.attempt > 1})
    return {cause: times for cause, times in found.items() if times}


def _repeats(case: Case, evidence: Evidence) -> Iterator[tuple[Noted, str | None]]:
    """Each run of an attempt after its first one, and why it was: None if nothing says so."""
    runs = defaultdict[tuple[int, int], list[Noted]](list)
    for body in sorted(case.bodies, key=lambda body: body.at):
        runs[body.command, body.attempt].append(body)
    for run in runs.values():
        for before, again in itertools.pairwise(run):
            yield again, _cause(case, before, again, evidence)


def _cause(case: Case, before: Noted, again: Noted, evidence: Evidence) -> str | None:
    """What became of the run before: the row of its node says so, or its log, or its transaction that left nothing."""
    node = evidence.incarnations.get(before.node)
    if node is not None and before.node != again.node and node.status == "dead":
        return f"node {node.cause}"
    if node is not None and before.node != again.node and node.status == "stopped":
        return "node drained"
    if before.step == TRANSACTIONAL and not evidence.bookings[before.token]:
        return "transaction rolled back"
    return "turn refused" if case.forgotten else None


def _at_most_once(case: Case) -> Iterator[Violation]:
    runs = Counter(body.command for body in case.bodies if body.step == "once")
    for body in case.bodies:
        if body.step == "once" and runs[body.command] > 1:
            yield _violation(
                "I8", body, f"command {body.command} is at most once and ran {runs[body.command]} times"
            )
            return
    if case.flow == "poisoned" and len(case.bodies) > NODES:
        yield _violation("I18", case.bodies[0], f"it has ended {len(case.bodies)} nodes")


def _transactional(case: Case, bookings: Counter[str]) -> Iterator[Violation]:
    """Of a step with a result that one effect is there, and no other of the same step."""
    by_command = defaultdict[int, list[str]](list)
    for body in case.bodies:
        if body.step == TRANSACTIONAL and bookings[body.token]:
            by_command[body.command].append(body.token)
    for stored in case.stored:
        if stored.type == events.STEP_COMPLETED:
            ended = msgspec.json.decode(stored.data, type=events.StepEnded)
            token = msgspec.json.decode(ended.result) if ended.step == TRANSACTIONAL else None
            if token is not None and by_command.pop(ended.command, []) != [token]:
                text = f"command {ended.command} has the result {token} and not that effect alone"
                yield Violation(promise="I9", instance=case.view.id, text=text)
    for command, tokens in by_command.items():
        if len(tokens) > 1:
            text = f"command {command} took effect {len(tokens)} times"
            yield Violation(promise="I9", instance=case.view.id, text=text)


def _violation(promise: str, body: Noted, text: str) -> Violation:
    return Violation(promise=promise, instance=body.instance, text=text)
