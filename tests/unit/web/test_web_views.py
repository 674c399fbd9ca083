"""The small views: clocks, headlines, failures, sources, payloads, addresses."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.web.kit import KEY, MS, Events, definition, instance, row

from orquestrax.web.views import clock
from orquestrax.web.views.chronicle import entries
from orquestrax.web.views.detail import detail
from orquestrax.web.views.failure import failure_of
from orquestrax.web.views.headline import headline
from orquestrax.web.views.listing import Filters
from orquestrax.web.views.payload import pretty, preview, size_of

SOURCE = """\
@workflow
async def fulfil(order: Order) -> str:
    receipt = await charge.options(timeout=5)(order)
    await gather(pack(order),
                 shop.label(order))
    await pack(order)
    await asyncio.sleep(60)
"""


@pytest.mark.parametrize(
    ("ms", "still", "ticking"),
    [
        (0, "0 ms", "0 s"),
        (999, "999 ms", "0 s"),
        (1000, "1.0 s", "1 s"),
        (9_999, "9.9 s", "9 s"),
        (10_000, "10 s", "10 s"),
        (59_999, "59 s", "59 s"),
        (185_000, "3 min 5 s", "3 min 5 s"),
        (7_500_000, "2 h 5 min", "2 h 5 min"),
        (356_400_000, "4 d 3 h", "4 d 3 h"),
        (-5, "0 ms", "0 s"),
    ],
)
def test_durations(ms: int, still: str, ticking: str) -> None:
    assert clock.duration(ms * MS) == still
    assert clock.elapsed(ms * MS) == ticking


@pytest.mark.parametrize(
    ("ms", "label"), [(0, "0"), (500, "500 ms"), (1500, "1.5 s"), (90_000, "1 min 30 s"), (3_600_000, "1 h")]
)
def test_tick_labels(ms: int, label: str) -> None:
    assert clock.tick_label(ms * MS) == label


def test_moments() -> None:
    at = 1_795_379_467_123_456
    assert clock.stamp(at) == "2026-11-22 20:31:07 UTC"
    assert clock.iso(at) == "2026-11-22T20:31:07.123Z"


def marked(history: Events | None = None, waits: list[dict[str, object]] | None = None) -> list[int]:
    given = instance(waits=msgspec.json.encode(waits).decode() if waits else None)
    lines = detail(given, (history or Events()).rows, definition(SOURCE), now=10_000 * MS).lines
    assert [line.number for line in lines] == list(range(10, 17))
    return [line.number for line in lines if line.waits]


def waits_at(line: int, file: str = "shop.py", kind: str = "signal") -> dict[str, object]:
    return {"kind": kind, "name": "x", "file": file, "line": line, "since": 1, "until": None}


def test_the_lines_where_it_waits_are_marked() -> None:
    assert marked(waits=[waits_at(16), waits_at(11, "other.py")]) == [16]
    assert marked(waits=[waits_at(16), waits_at(12, kind="step")]) == [12, 16]


def test_the_lines_of_running_steps_are_marked_though_a_name_is_called_twice() -> None:
    both = Events().started(1, "pack", 1100, 100, issued=1, line=13)
    both.started(2, "pack", 1200, 100, issued=2, line=15)
    assert marked(both) == [13, 15]
    assert marked(both, [waits_at(16)]) == [13, 15, 16]
    assert marked(both.ended(1, "pack", 100, 1300, issued=2)) == [15]
    retried = Events().started(1, "pack", 1100, 100, issued=1, line=13)
    retried.retrying(1, "pack", 100, 1300, 99_000, attempt=1, issued=1)
    assert marked(retried) == [13]  # between two attempts it is still there
    assert marked(Events().started(1, "pack", 1100, 100, issued=1)) == []  # an event of another release


def words(status: str, events: Events | None = None, **given: object) -> list[tuple[str, str]]:
    parts = headline(row(status=status, **given), (events or Events()).rows, 10_000 * MS)
    return [(part.text, part.look.word if part.look else "") for part in parts]


def test_headlines_say_what_an_instance_is_at() -> None:
    assert words("pending") == [("waits for a node", "")]
    assert words("running", Events().started(1, "charge", 1100, 100, issued=1)) == [("charge", "running")]
    retrying = Events().retrying(1, "charge", 100, 300, 99_000, attempt=2, issued=1)
    assert words("waiting", retrying) == [("charge, attempt 3", "retrying")]
    waits = msgspec.json.encode(
        [{"kind": "timer", "name": "", "since": 1, "until": 9}, {"kind": "signal", "name": "go", "since": 1}]
    )
    assert words("waiting", waits=waits.decode()) == [("timer", "scheduled"), ("signal go", "waiting")]
    assert words("failed", error_type="Busy", error_message="one\ntwo") == [("Busy: one", "failed")]
    assert words("blocked", blocked="it does not fit\nat all") == [("it does not fit", "blocked")]
    assert words("completed", result='{"a": 1}') == [('{"a": 1}', "")]
    assert words("cancelled") == []


def test_many_things_at_once_are_counted() -> None:
    events = Events()
    for command in range(1, 6):
        events.started(command, f"s{command}", 1100, 100, issued=5)
    assert words("running", events) == [("s1", "running"), ("s2", "running"), ("and 3 more", "")]


def failed(*chain: tuple[str, str]) -> str:
    nested: dict[str, object] = {}
    for kind, message in reversed(chain):
        nested = {"type": kind, "message": message, "traceback": f"trace of {kind}"} | (
            {"cause": nested} if nested else {}
        )
    return msgspec.json.encode(nested).decode()


def test_a_failure_names_the_step_and_the_causes_without_echoes() -> None:
    step_error = {"type": "Declined", "message": "no", "traceback": "t"}
    events = Events().ended(1, "charge", 100, 300, attempt=3, issued=1, error=step_error)
    error = failed(("Declined", "no"), ("StepFailed", "KeyError: 'card'"), ("KeyError", "'card'"))
    failure = failure_of(instance(status="failed", error=error), events.rows)
    assert failure is not None
    assert (failure.title, failure.attempt, failure.node) == ("Step charge failed", 3, "host-1")
    assert [(cause.kind, cause.message) for cause in failure.causes] == [
        ("Declined", "no"),
        ("KeyError", "'card'"),
    ]


def test_a_failure_of_the_workflow_itself_blames_no_step() -> None:
    events = Events().ended(1, "charge", 100, 300, issued=1, error={"type": "Declined", "message": "no"})
    failure = failure_of(instance(status="failed", error=failed(("ValueError", "later"))), events.rows)
    assert failure is not None
    assert (failure.title, failure.step) == ("The workflow failed", "")
    assert failure_of(instance(status="completed"), []) is None


def test_a_blocked_instance_shows_both_sides() -> None:
    sides = {
        "message": "it asks for another step",
        "recorded": "step charge",
        "asked": "step pay",
        "file": "shop.py",
        "line": 7,
    }
    failure = failure_of(instance(status="blocked", blocked=msgspec.json.encode(sides).decode()), [])
    assert failure is not None
    assert [(cause.kind, cause.message) for cause in failure.causes] == [
        ("", "it asks for another step"),
        ("the history has", "step charge"),
        ("the code asks for", "step pay"),
    ]
    assert failure.hint.startswith("Where: shop.py:7. ")


def test_a_history_begins_with_what_the_row_says() -> None:
    events = (
        Events()
        .ended(1, "charge", 100, 300, issued=1)
        .add("cancel_requested", 400, 1, number=1, message="m", payload="why")
    )
    told = entries(instance(), events.rows, frozenset())
    assert [entry.text for entry in told] == [
        "created by dashboard",
        "started on node host-1",
        "charge completed in 200 ms",
        "cancel requested: why",
    ]
    later = entries(instance(), events.rows[1:], frozenset())
    assert [entry.text for entry in later] == ["cancel requested: why"]
    assert entries(instance(started_at=None), [], frozenset())[-1].text == "created by dashboard"


def test_an_unknown_event_is_shown_by_its_name() -> None:
    told = entries(instance(), Events().add("from_the_future", 5, 0, what=1).rows, frozenset())
    assert told[-1].text == "from the future"


def test_long_payloads_are_cut_unless_all_is_asked_for() -> None:
    raw = msgspec.json.encode(["x" * 100_000]).decode()
    cut, full = pretty(raw), pretty(raw, full=True)
    assert cut is not None
    assert full is not None
    assert (len(cut.text), cut.cut, cut.size) == (64_000, True, "100.0 kB")
    assert (full.cut, len(full.text)) == (False, len(raw) + 4)
    assert pretty(None) is None
    assert "1e22" in (pretty('{"n":1e22}') or cut).text


def test_previews_and_sizes() -> None:
    assert preview('{\n "a": 1}') == '{ "a": 1}'
    assert preview("null") == ""
    assert preview("x" * 100) == "x" * 80 + "…"
    assert [size_of(n) for n in (0, 999, 4100, 1_900_000)] == ["0 B", "999 B", "4.1 kB", "1.9 MB"]


def test_filters_come_from_the_address_and_go_back_to_it() -> None:
    query = {"status": "failed", "definition": "fulfil", "search": " order ", "before": str(KEY)}
    filters = Filters.of(query)
    assert filters == Filters("failed", "fulfil", "order", KEY)
    assert filters.query(status="") == {"definition": "fulfil", "search": "order"}
    assert Filters.of({"status": "odd", "before": "x", "search": "a\0b"}) == Filters(search="ab")
    assert not Filters.of({}).narrow


def test_whole_runs_are_told_of_in_sentences() -> None:
    error = {"type": "Declined", "message": "no\nway"}
    events = Events().add("attempt_failed", 5, 0, attempt=1, node="n", due=9, error=error)
    events.add("timed_out", 7, 0, seconds=90.0, until=9, node="n")
    assert [entry.text for entry in entries(instance(), events.rows, frozenset())[2:]] == [
        "attempt 1 of the whole run failed, again from its input: Declined: no",
        "over its time limit of 1 min 30 s: its code may clean up",
    ]
