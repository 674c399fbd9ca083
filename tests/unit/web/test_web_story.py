"""Histories read as stories: when things were asked for, which attempts there were, what is open."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.web.kit import MS, Events

from orquestrax.web.views.story import first_line, read

FAR = 10_000_000 * MS


def test_a_command_was_asked_for_by_the_event_that_still_counts_fewer() -> None:
    events = Events()
    events.ended(1, "charge", 110, 400, issued=1)  # asked for by the start
    events.ended(2, "pack", 450, 700, issued=3)  # both asked for when charge had ended
    events.ended(3, "label", 450, 900, issued=3)
    events.add("timer_fired", 2900, 4, command=4)  # asked for when label had ended
    story = read(events.rows, 100 * MS, FAR)
    asked = {lane.name: lane.asked_at // MS for lane in story.lanes}
    assert asked == {"charge": 100, "pack": 400, "label": 400, "timer": 900}
    assert [lane.name for lane in story.lanes] == ["charge", "pack", "label", "timer"]


@given(st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=12))
def test_asked_at_is_exact_whatever_came_between(batches: list[list[int]]) -> None:
    """Each driving event asks for some commands, and informational events come between: the asker is found."""
    events, issued, truth = Events(), 0, {}
    for place, batch in enumerate(batches):
        at = 1000 * (place + 1)
        events.add("signal_received", at, issued, number=place, message=str(place), name="go")
        for _ in batch:
            issued += 1
            truth[issued] = at
        for command in range(1, issued + 1):
            events.started(command, "work", at + 10, at, issued=issued)
    story = read(events.rows, 0, FAR)
    assert {lane.command: lane.asked_at // MS for lane in story.lanes} == truth


def test_attempts_follow_each_other_and_a_due_one_counts_as_running() -> None:
    events = Events().retrying(1, "charge", 100, 300, 800, attempt=1, issued=1)
    (waiting,) = read(events.rows, 0, 500 * MS).lanes
    assert (waiting.state, waiting.due) == ("retrying", 800 * MS)
    (running,) = read(events.rows, 0, 900 * MS).lanes
    assert (running.state, running.due) == ("running", None)
    assert [(a.number, a.state) for a in running.attempts] == [(1, "retrying"), (2, "running")]
    events.started(1, "charge", 1850, 810, attempt=2, issued=1).ended(
        1, "charge", 810, 2000, attempt=2, issued=1
    )
    (done,) = read(events.rows, 0, FAR).lanes
    assert [(a.number, a.state, a.error) for a in done.attempts] == [
        (1, "retrying", "Busy: later"),
        (2, "completed", ""),
    ]
    assert done.ended_at == 2000 * MS


def test_an_attempt_that_a_successor_runs_again_is_told_once() -> None:
    events = Events().started(1, "charge", 1100, 100, issued=1)
    events.add("taken_over", 5000, 1, dead="host-1", node="host-2").started(1, "charge", 6100, 5100, issued=1)
    story = read(events.rows, 0, FAR)
    assert [(a.started_at, a.ended_at) for a in story.lanes[0].attempts] == [(5100 * MS, None)]
    assert [(mark.kind, mark.name) for mark in story.marks] == [("takeover", "host-2")]


def test_a_step_that_nobody_waits_for_is_cancelled() -> None:
    events = Events().started(1, "charge", 1100, 100, issued=1)
    events.add("step_cancelled", 1500, 1, command=1, step="charge")
    story = read(events.rows, 0, FAR)
    assert (story.lanes[0].state, story.lanes[0].ended_at) == ("cancelled", 1500 * MS)
    assert story.open_steps() == []


def test_what_is_waited_for_is_part_of_the_story() -> None:
    waits = [
        {"kind": "timer", "name": "", "since": 5 * MS, "until": 900 * MS},
        {"kind": "signal", "name": "go", "since": 5},
    ]
    (timer,) = read([], 0, 10 * MS, waits).lanes
    assert (timer.kind, timer.asked_at, timer.due, timer.ended_at) == ("timer", 5 * MS, 900 * MS, None)


def test_an_event_of_another_release_is_let_pass() -> None:
    events = Events().add("from_the_future", 5, 0, command=1).ended(1, "charge", 1, 9, issued=1)
    assert [lane.name for lane in read(events.rows, 0, FAR).lanes] == ["charge"]


def test_the_first_line_of_an_error() -> None:
    assert first_line('{"type": "Busy", "message": "later\\nmuch later"}') == "Busy: later"
    assert first_line('{"type": "Busy", "message": ""}') == "Busy"
    assert first_line(None) == ""


def test_another_attempt_of_the_whole_run_ends_what_was_under_way() -> None:
    events = Events().started(1, "charge", 1_100, 100, issued=2).started(2, "pack", 1_200, 100, issued=2)
    events.ended(2, "pack", 100, 1_300, issued=2)
    error = {"type": "Declined", "message": "no"}
    events.add("attempt_failed", 1_400, 2, attempt=1, node="host-1", due=2_000 * MS, error=error)
    events.ended(3, "charge", 2_100, 2_300, issued=3)
    events.add("timed_out", 2_400, 3, seconds=2.5, until=3_000 * MS, node="host-1")
    story = read(events.rows, 0, FAR)
    assert [(lane.command, lane.state) for lane in story.lanes] == [
        (1, "cancelled"), (2, "completed"), (3, "completed")
    ]  # fmt: skip
    assert story.lanes[0].ended_at == 1_400 * MS
    assert [(mark.kind, mark.name) for mark in story.marks] == [("attempt", "1"), ("timeout", "")]
    assert story.open_steps() == []
