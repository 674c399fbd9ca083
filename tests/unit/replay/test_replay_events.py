"""Events that cannot be are refused with both sides, and change nothing; what the end agrees with."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.unit.replay.kit import Host, new, rebuild, step

import orquestrax.replay.context as ox
from orquestrax.base.errors import NonDeterminism
from orquestrax.model import events
from orquestrax.model.events import Event, StepCancelled, StepEnded, StepRetrying, StepStarted, TimerFired


def _host() -> Host:
    async def main() -> Any:
        try:
            async with asyncio.timeout(5):
                await step("a")
        except TimeoutError:
            return await step("b")

    host = Host(main)
    host.fire()
    return host


def _ended(number: int, name: str) -> StepEnded:
    return StepEnded(number, name, 1, "n", 0, 0, events.raw(b"1"))


RETRYING_C = StepRetrying(3, "c", 1, "n", 0, 0, 0, 0, events.raw(b"1"))


@pytest.mark.parametrize(
    ("type_", "data", "words"),
    [
        ("step_completed", _ended(9, "b"), "the code asked for only 3 commands"),
        ("step_completed", _ended(0, "b"), "the code asked for only 3 commands"),
        ("step_completed", _ended(3, "c"), "the code asked for step 'b' as command 3"),
        ("step_failed", _ended(3, "c"), "step 'c' failed as command 3"),
        ("step_completed", _ended(1, "a"), "the code asked for a timer as command 1"),
        ("timer_fired", TimerFired(3), "the code asked for step 'b' as command 3"),
        ("step_completed", _ended(2, "a"), "the code no longer waits for step 'a', command 2"),
        ("timer_fired", TimerFired(1), "the code no longer waits for a timer, command 1"),
        ("completed", events.Ended("n"), "the end as completed (event 2); the code still waits for step 'b'"),
        ("failed", events.Ended("n"), "the end as failed"),
        ("step_started", StepStarted(3, "c", 1, "n", 0), "step 'c' started as command 3"),
        ("step_cancelled", StepCancelled(4, "c"), "step 'c' cancelled as command 4"),
        ("step_retrying", RETRYING_C, "step 'c' to be tried again"),
    ],
)
def test_events_that_do_not_fit(type_: str, data: Any, words: str) -> None:
    host = _host()
    before = host.replay.issued, host.replay.now, dict(host.replay.open)
    with pytest.raises(NonDeterminism) as raised:
        host.happen(type_, data)
    assert words in str(raised.value)
    assert raised.value.file in (None, __file__)
    assert (host.replay.issued, host.replay.now, host.replay.open) == before
    host.complete("b", 1)  # it goes on as if nothing had been
    assert host.result == 1


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("step_started", StepStarted(3, "b", 1, "n", 0)),
        ("step_retrying", StepRetrying(3, "b", 1, "n", 0, 0, 0, 0, events.raw(b"1"))),
        ("step_cancelled", StepCancelled(2, "a")),
        ("taken_over", events.TakenOver("1", "n")),
    ],
)
def test_informational_events_change_nothing(type_: str, data: Any) -> None:
    host = _host()
    before = host.replay.issued, host.replay.trail, host.replay.now, host.replay.waits()
    host.happen(type_, data)
    assert (host.replay.issued, host.replay.trail, host.replay.now, host.replay.waits()) == before


def test_a_step_is_no_signal_of_the_same_name() -> None:
    async def main() -> Any:
        return await ox.receive("go")

    host = Host(main)
    with pytest.raises(NonDeterminism, match="the code asked for a signal 'go' as command 1"):
        host.happen("step_completed", _ended(1, "go"))


@pytest.mark.parametrize("type_", ["signal_received", "cancel_requested", "step_started", "taken_over"])
def test_counts_are_checked_with_every_event(type_: str) -> None:
    host = _host()
    shapes: dict[str, Any] = {
        "step_started": StepStarted(3, "b", 1, "n", 0),
        "taken_over": events.TakenOver("1", "n"),
    }
    data = shapes.get(type_, events.MessageReceived(1, "m", "x"))
    fitting = Event(2, type_, host.now + 1, host.replay.issued, host.replay.trail, events.encode(data))
    for wrong in ({"issued": 2}, {"issued": 4}, {"trail": 1}):
        with pytest.raises(NonDeterminism, match="the history has"):
            host.replay.apply(msgspec.structs.replace(fitting, **wrong))
    host.replay.apply(fitting)


def test_an_unknown_type_asks_for_an_upgrade() -> None:
    host = _host()
    with pytest.raises(NonDeterminism, match=r"an event of type 'dream'.*upgrade this node"):
        host.replay.apply(Event(2, "dream", 0, 0, 0, b"{}"))


async def short() -> int:
    return await step("a")


def test_the_end_agrees_with_the_terminal_event() -> None:
    host = Host(short)
    host.complete("a", 1)
    host.happen(events.COMPLETED, events.Ended("n", result=events.raw(b"1")))
    with pytest.raises(NonDeterminism, match="a cancel request after its end"):
        host.cancel()


def test_another_end_is_found() -> None:
    async def failing() -> int:
        await step("a")
        raise ValueError

    host = Host(short)
    host.complete("a", 1)
    host.happen(events.COMPLETED, events.Ended("n", result=events.raw(b"1")))
    with pytest.raises(NonDeterminism, match=r"the end as completed.*the code ended as failed"):
        rebuild(failing, host.history)


def test_nothing_drives_code_after_its_end() -> None:
    host = Host(short)
    host.complete("a", 1)
    with pytest.raises(NonDeterminism, match=r"signal 'x' received.*the code ended as completed"):
        host.signal("x")
    host.happen(events.TAKEN_OVER, events.TakenOver("1", "n"))


@pytest.mark.parametrize("completed", [False, True])
def test_terminated_comes_at_any_time(completed: bool) -> None:
    host = Host(short)
    if completed:
        host.complete("a", 1)
    event = Event(
        len(host.history) + 1, events.TERMINATED, host.now, 77, 77, events.encode(events.Ended("n"))
    )
    host.replay.apply(event)
    with pytest.raises(NonDeterminism, match="after its end"):
        host.cancel()


def test_start_comes_first_and_once() -> None:
    replay = new(short)
    with pytest.raises(RuntimeError, match="'order-1' is not started"):
        replay.apply(Event(1, events.CANCEL, 0, 0, 0, b"{}"))
    replay.start()
    with pytest.raises(RuntimeError, match="'order-1' was started before"):
        replay.start()
