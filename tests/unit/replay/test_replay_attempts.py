"""Attempts of a whole run and its time limit, as events: what goes on, what is made anew, and what does not fit."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.unit.replay.kit import SECOND, Host, new, standing, step

import orquestrax as ox
from orquestrax.base.errors import NonDeterminism
from orquestrax.model import events
from orquestrax.model.events import Event
from orquestrax.replay.instance import Replay


def fails(host: Host) -> None:
    """Its next attempt is planned, as an owner does."""
    kept = [signal.number for signal in host.replay.machine.mailbox.kept()]
    error = events.raw(host.finish.payload)
    host.happen(
        events.ATTEMPT_FAILED, events.AttemptFailed(host.replay.attempt, "node", host.now, error, kept)
    )


def begins(host: Host) -> None:
    host.happen(events.ATTEMPT_STARTED, events.AttemptStarted(host.replay.attempt, "node"))


def times_out(host: Host) -> None:
    host.happen(events.TIMED_OUT, events.TimedOut(1.5, host.now + SECOND, "node"))


def resumed(host: Host) -> Replay:
    """Rebuilt from its newest attempt alone, as a successor does."""
    failed = max(n for n, event in enumerate(host.history) if event.type == events.ATTEMPT_FAILED)
    replay = new(host.main)
    replay.resume_at(host.history[failed], host.history[:failed])
    for event in host.history[failed + 1 :]:
        replay.apply(event)
    return replay


drawn: list[tuple[int, Any]] = []


async def tries() -> Any:
    first = await step("a")
    drawn.append((ox.info().attempt, (str(ox.uuid4()), ox.random().random())))
    if first == "bad":
        raise ValueError("bad")
    async with asyncio.timeout(5):
        return [first, await ox.receive("item"), ox.info().attempt]


def test_commands_are_numbered_on_and_a_replay_may_begin_there(host):
    drawn.clear()
    run = host(tries)
    run.complete("a", "bad")
    assert run.error == ["ValueError", "bad"]
    fails(run)
    assert (run.replay.resting, run.asked, run.replay.attempt) == (True, [], 2)
    begins(run)
    assert [command.number for command in run.turn.commands] == [3], "1 was the step, 2 the end"
    run.complete("a", "good")
    assert standing(resumed(run)) == standing(run.replay)
    run.signal("item", 5)
    assert run.result == ["good", 5, 2]
    assert standing(resumed(run)) == standing(run.replay)
    values = dict(drawn)
    assert values[1] != values[2]
    assert len(set(drawn)) == 2, "each replay draws the same"


def test_signals_that_nobody_took_are_kept_in_their_order(host):
    run = host(tries)
    run.signal("item", "early")
    run.signal("other", "left")
    run.complete("a", "bad")
    fails(run)
    run.signal("item", "between")
    assert run.replay.resting
    begins(run)
    run.complete("a", "good")
    assert run.result == ["good", "early", 2]
    assert [each.name for each in run.replay.unhandled()] == ["other", "item"]
    assert standing(resumed(run)) == standing(run.replay)


def test_a_cancellation_between_two_attempts_is_the_end(host):
    run = host(tries)
    run.complete("a", "bad")
    fails(run)
    run.cancel()
    assert run.finish.status == "cancelled"
    assert standing(resumed(run)) == standing(run.replay)


def test_what_waited_in_the_attempt_before_is_over(host):
    async def leaves() -> None:
        task = asyncio.create_task(step("b"))
        await asyncio.sleep(0)
        if ox.info().attempt == 1:
            raise ValueError("left")
        await task

    run = host(leaves)
    fails(run)
    begins(run)
    assert run.asked == ["step b"]
    run.complete("b")
    assert run.finish.status == "completed"


async def cleans() -> str:
    try:
        await step("a")
    except asyncio.CancelledError:
        if await step("keep") == "value":
            return "a value"
        raise
    return "done"


def test_the_time_limit_cancels_and_the_code_cleans_up(host):
    run = host(cleans)
    times_out(run)
    assert run.asked == ["step keep"]
    run.complete("keep", "nothing")
    assert run.error == ["WorkflowTimedOut", "the workflow ran longer than 1.5 s in all (timeout=1.5)"]


def test_code_that_returns_a_value_all_the_same_completes(host):
    run = host(cleans)
    times_out(run)
    run.complete("keep", "value")
    assert run.result == "a value"


def test_another_failure_while_cleaning_up_is_told_as_it_is(host):
    async def main() -> None:
        try:
            await step("a")
        finally:
            raise KeyError("broken")

    run = host(main)
    times_out(run)
    assert run.error[0] == "KeyError"


def test_between_two_attempts_the_time_limit_is_the_end(host):
    run = host(tries)
    run.complete("a", "bad")
    fails(run)
    times_out(run)
    assert run.error[0] == "WorkflowTimedOut"
    assert standing(resumed(run)) == standing(run.replay)


def _event(replay: Replay, seq: int, type_: str, data: Any, **other: int) -> Event:
    counts = {"issued": replay.issued, "trail": replay.trail} | other
    return Event(seq, type_, 2_000_000_000_000_000, counts["issued"], counts["trail"], events.encode(data))


ERROR = events.raw(json.dumps(["ValueError", "x"]))


def test_an_attempt_that_failed_where_the_code_has_not_does_not_fit(host):
    run = host(tries)
    failed = events.AttemptFailed(1, "node", 0, ERROR)
    with pytest.raises(
        NonDeterminism, match=r"the history has attempt 1 failed .* the code still waits for step 'a'"
    ):
        run.replay.apply(_event(run.replay, 1, events.ATTEMPT_FAILED, failed))
    run.complete("a", "good")
    run.signal("item", 1)
    with pytest.raises(NonDeterminism, match=r"the history has attempt 1 failed .* ended as completed"):
        run.replay.apply(_event(run.replay, 3, events.ATTEMPT_FAILED, failed))


def test_other_commands_before_an_attempt_failed_do_not_fit(host):
    run = host(tries)
    run.complete("a", "bad")
    failed = events.AttemptFailed(1, "node", 0, ERROR)
    with pytest.raises(NonDeterminism, match=r"attempt 1 failed after 7 commands"):
        run.replay.apply(_event(run.replay, 2, events.ATTEMPT_FAILED, failed, issued=7))


def test_other_code_in_a_later_attempt_does_not_fit(host):
    run = host(tries)
    run.complete("a", "bad")
    fails(run)
    begins(run)
    other = events.StepEnded(3, "b", 1, "node", 0, 0, events.raw("null"))
    with pytest.raises(
        NonDeterminism, match=r"step 'b' completed as command 3.* the code asked for step 'a'"
    ):
        run.replay.apply(_event(run.replay, 4, events.STEP_COMPLETED, other))


def test_an_attempt_cannot_begin_twice(host):
    run = host(tries)
    run.complete("a", "bad")
    fails(run)
    begins(run)
    started = events.AttemptStarted(2, "node")
    with pytest.raises(NonDeterminism, match=r"attempt 2 started .* runs in the attempt before"):
        run.replay.apply(_event(run.replay, 4, events.ATTEMPT_STARTED, started))


def test_the_time_limit_after_the_end_does_not_fit(host):
    run = host(tries)
    run.complete("a", "bad")
    with pytest.raises(NonDeterminism, match=r"the time limit of the run .* ended as failed"):
        run.replay.apply(_event(run.replay, 2, events.TIMED_OUT, events.TimedOut(1.0, 0, "node")))
