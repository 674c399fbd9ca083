"""The verdict can fail: each broken promise, made by hand, is reported by its number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest

from orquestrax.core.store.clientverbs import EventView, InstanceView, Takeover
from orquestrax.model import events
from tests.chaos.operations import Operation
from tests.chaos.report import Report, Spread, read_report
from tests.chaos.verdict import judge
from tests.chaos.verdict.evidence import Case, Evidence, Incarnation, Noted, Window
from tests.chaos.verdict.timers import Timer, judge_timers
from tests.checker import Call

KEY = UUID(int=7)
SECOND = 1_000_000


def view(**changed: Any) -> InstanceView:
    fields: dict[str, Any] = dict.fromkeys(InstanceView.__struct_fields__)
    fields |= {
        "key": KEY,
        "id": "x",
        "definition": "letters",
        "version": "",
        "status": "terminated",
        "mail": 2,
    }
    return InstanceView(
        **{**fields, "priority": 2, "created_at": 1, "digest": b"", "input": "[2]", **changed}
    )


def event(seq: int, type: str, data: msgspec.Struct) -> EventView:
    return EventView(seq=seq, type=type, at=seq, issued=0, trail=0, data=events.encode(data).decode())


def letter(seq: int, message: str) -> EventView:
    return event(seq, events.SIGNAL, events.MessageReceived(seq, message, "letter", events.raw(b"1")))


def booked(seq: int) -> EventView:
    return event(
        seq, events.STEP_COMPLETED, events.StepEnded(9, "book", 1, "n", 1, 2, events.raw(b'"x/9.1#1.1"'))
    )


def end(seq: int) -> EventView:
    return event(seq, events.TERMINATED, events.Ended(node="n"))


def body(**changed: Any) -> Noted:
    fields = {"command": 9, "attempt": 1, "token": "x/9.1#1.1", "step": "book", "at": SECOND, "node": 1}
    return Noted(**{"instance": "x", "given": (), **fields, **changed})


def call(kind: str, message: str, outcome: str = "ok") -> Call:
    return Call(instance="x", kind=kind, value="", message=message, outcome=outcome)


def node(fence: int, status: str, cause: str | None = None) -> Incarnation:
    return Incarnation(fence=fence, pid=fence, status=status, cause=cause, seen_at=50.0, ended_at=60.0)


@pytest.fixture
def evidence() -> Evidence:
    """Of a run in which everything went well: one node died of a fault, one instance was terminated in the end."""
    calls = [call("start", "x:0"), call("signal", "x:1"), call("signal", "x:2"), call("result", "x:3")]
    stored = [letter(1, "x:1"), letter(2, "x:2"), booked(3), end(4)]
    case = Case(view=view(), flow="letters", stored=stored, inbox=[], bodies=[body()], calls=calls)
    heard = [
        Operation(kind="start", instance="x", message="", value="", began=at - 1, ended=at, outcome="ok")
        for at in (10.0, 11.0, 31.0, 32.0)
    ]
    return Evidence(
        cases={"x": case}, calls={"x": calls}, operations=heard, strays=[],
        incarnations={1: node(1, "dead", "silent"), 2: node(2, "stopped")}, late_writes=[], unseen=0,
        bookings=Counter(["x/9.1#1.1"]), takeovers=[], windows=[Window("killed", 49.0, 55.0, {1})], offset=0.0,
    )  # fmt: skip


def judged(evidence: Evidence) -> Report:
    report = Report(
        scenario="killed",
        seed=1,
        command="",
        minutes=1,
        nodes=2,
        lease=5,
        heartbeat=1,
        poll=1,
        began_at="",
        commit="",
    )
    judge(evidence, report)
    return report


def test_what_went_well_is_no_violation(evidence: Evidence) -> None:
    report = judged(evidence)
    assert report.violations == []
    assert (report.operations.ok, report.bodies, report.extra) == (4, 1, {})
    assert (report.gap, report.gap_in) == (20.0, [])


def test_extra_bodies_have_their_causes(evidence: Evidence) -> None:
    evidence.cases["x"].bodies.append(body(at=2 * SECOND, node=2, token="x/9.1#2.1"))
    report = judged(evidence)
    assert report.violations == []
    assert report.extra == {"node silent": 1}


def test_takeovers_amid_other_faults_stand_apart(evidence: Evidence) -> None:
    seen, last = 50 * SECOND, 57 * SECOND
    evidence.takeovers = [
        Takeover(dead=1, node=2, name="b", instances=1, first_at=last - 1, last_at=at, lost_at=seen)
        for at in (last, last - SECOND)
    ]
    assert judged(evidence).takeovers == {"silent": Spread(n=1, p50=7.0, p95=7.0, max=7.0)}
    evidence.windows.append(Window("postgres", 56.0, 58.0))
    assert [*judged(evidence).takeovers] == ["silent, amid other faults"]


def lose_signal(evidence: Evidence) -> None:
    evidence.cases["x"].stored = [letter(1, "x:1"), booked(2), end(3)]


def leave_gap(evidence: Evidence) -> None:
    del evidence.cases["x"].stored[1]


def deliver_twice(evidence: Evidence) -> None:
    evidence.cases["x"].stored = [letter(1, "x:1"), letter(2, "x:2"), letter(3, "x:2"), booked(4), end(5)]


def swap_signals(evidence: Evidence) -> None:
    evidence.cases["x"].stored = [letter(1, "x:2"), letter(2, "x:1"), booked(3), end(4)]


def lose_instance(evidence: Evidence) -> None:
    del evidence.cases["x"]


def leave_running(evidence: Evidence) -> None:
    evidence.cases["x"].view = view(status="running")


def convict_the_innocent(evidence: Evidence) -> None:
    evidence.cases["x"].view = view(status="blocked", blocked="{}")


def leave_unanswered(evidence: Evidence) -> None:
    evidence.calls["x"][2].outcome = "unknown"


def double_body(evidence: Evidence) -> None:
    evidence.cases["x"].bodies.append(body(at=2 * SECOND, token="x/9.1#1.2"))


def double_beside_the_living(evidence: Evidence) -> None:
    evidence.cases["x"].bodies = [body(node=3), body(at=2 * SECOND, node=2, token="x/9.1#2.1")]
    evidence.incarnations[3] = node(3, "alive")


def double_once(evidence: Evidence) -> None:
    again = [body(command=5, step="once", token=f"x/5.1#{n}.1", node=n, at=n * SECOND) for n in (1, 2)]
    evidence.cases["x"].bodies += again


def retry_unasked(evidence: Evidence) -> None:
    evidence.cases["x"].bodies.append(body(command=5, attempt=2, step="work", token="x/5.2#1.1"))


def act_on_the_uncommitted(evidence: Evidence) -> None:
    evidence.cases["x"].bodies.append(body(command=5, step="work", token="x/5.1#1.1", given=("x/4.1#1.1",)))


def invent_result(evidence: Evidence) -> None:
    evidence.cases["x"].bodies = []


def run_for_nobody(evidence: Evidence) -> None:
    evidence.strays.append(body(instance="y"))


def lose_booking(evidence: Evidence) -> None:
    evidence.bookings.clear()


def double_booking(evidence: Evidence) -> None:
    evidence.bookings["x/9.1#1.1"] = 2


def book_as_another(evidence: Evidence) -> None:
    evidence.cases["x"].bodies.append(body(at=2 * SECOND, node=2, token="x/9.1#2.1"))
    evidence.bookings["x/9.1#2.1"] = 1


def write_late(evidence: Evidence) -> None:
    evidence.late_writes.append("event 3 of x was written behind the fence of 1, which ended before")


def change_history(evidence: Evidence) -> None:
    evidence.unseen = 1


def die_of_nothing(evidence: Evidence) -> None:
    evidence.windows[0].hit.clear()


def end_five_nodes(evidence: Evidence) -> None:
    evidence.cases["x"].flow = "poisoned"
    evidence.cases["x"].bodies += [body(at=n * SECOND, token=f"x/9.1#1.{n}") for n in range(2, 6)]


BROKEN: list[tuple[str, Callable[[Evidence], None]]] = [
    ("I1", lose_instance), ("I3", leave_gap), ("I3", change_history), ("I4", write_late),
    ("I5", act_on_the_uncommitted), ("I7", invent_result), ("I8", double_body), ("I8", double_beside_the_living),
    ("I8", double_once), ("I8", retry_unasked), ("I8", run_for_nobody), ("I9", lose_booking), ("I9", double_booking),
    ("I9", book_as_another), ("I10", lose_signal), ("I10", deliver_twice), ("I10", swap_signals),
    ("I14", die_of_nothing), ("I18", end_five_nodes), ("I18", convict_the_innocent),
    ("I23", leave_running), ("I23", leave_unanswered),
]  # fmt: skip


@pytest.mark.parametrize(("promise", "breaking"), BROKEN, ids=[breaking.__name__ for _, breaking in BROKEN])
def test_a_broken_promise_is_reported(
    evidence: Evidence, promise: str, breaking: Callable[[Evidence], None]
) -> None:
    breaking(evidence)
    assert promise in {violation.promise for violation in judged(evidence).violations}


@pytest.mark.parametrize(("late", "due", "violations"), [(31, 0, 0), (33, 0, 1), (41, 47, 0), (45, 47, 1)])
def test_I12_a_timer_may_be_late_by_what_had_struck(
    evidence: Evidence, late: int, due: int, violations: int
) -> None:
    timer = Timer("x", due * SECOND, (due + late) * SECOND)
    assert len([*judge_timers(evidence, [timer])]) == violations


def test_a_report_is_kept_whole(evidence: Evidence, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.chaos.report.FOLDER", tmp_path)
    lose_signal(evidence)
    report = judged(evidence)
    report.write()
    assert read_report(tmp_path / "chaos-killed.json") == report
    assert any("VIOLATION I10 x" in line for line in report.lines())
