"""Time: sleep, timers, wait_for, timeout, shield: live, and rebuilt at every event."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.replay.kit import BEGAN, step

import orquestrax.replay.context as ox


def test_sleep_is_a_timer(host: Any) -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        assert await asyncio.sleep(90.5, "slept") == "slept"
        return loop.time() - before

    run = host(main)
    [timer] = run.turn.commands
    assert timer.due == BEGAN + 90_500_000
    assert timer.line is not None
    assert timer.file == __file__
    run.fire()
    assert run.result == 90.5


@pytest.mark.parametrize("seconds", [0, -1, -1e300, float("-inf")])
def test_no_delay_is_no_timer(host: Any, seconds: float) -> None:
    async def main() -> str:
        await asyncio.sleep(seconds)
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, done.set)
        await done.wait()
        return "done"

    assert host(main).result == "done"


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 3.2e9])
def test_impossible_delays_are_refused(host: Any, seconds: float) -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_later(seconds, print)

    error, message = host(main).error
    assert error == "InvalidInput"
    assert f"a timer of {seconds} seconds is not possible" in message


@pytest.mark.parametrize(
    ("seconds", "microseconds"),
    [(1e-9, 0), (1e-7, 1), (1e-6, 1), (1.5e-6, 2), (0.1 + 0.2, 300_000), (0.07, 70_000), (1.1, 1_100_000)],
)
def test_delays_are_rounded_up_but_for_noise(host: Any, seconds: float, microseconds: int) -> None:
    async def main() -> None:
        await asyncio.sleep(seconds)

    run = host(main)
    if microseconds:
        assert run.turn.commands[0].due == BEGAN + microseconds
    else:
        assert run.result is None


def test_call_at_and_the_handle(host: Any) -> None:
    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        seen: list[Any] = []
        handle = loop.call_at(loop.time() + 2, seen.append, "two")
        other = loop.call_at(3, seen.append, "three")
        past = loop.call_at(-5, seen.append, "past")
        await asyncio.sleep(1)
        other.cancel()
        other.cancel()
        await asyncio.sleep(4)
        return [*seen, handle.when(), handle.cancelled(), other.cancelled(), past.when()]

    run = host(main)
    assert run.asked == ["timer 2", "timer 3", "timer 1"]
    turn = run.fire()
    assert [c.number for c in turn.abandoned] == [2]
    run.fire()
    run.fire()
    assert run.result == ["past", "two", 2, False, True, -5]


def test_now_stands_still_between_events(host: Any) -> None:
    async def main() -> list[str]:
        times = [ox.now(), ox.now()]
        await asyncio.sleep(1)
        times.append(ox.now())
        return [time.isoformat() for time in times]

    run = host(main)
    run.fire()
    first, second, third = run.result
    assert first == second == "2023-11-14T22:13:20+00:00"
    assert third == "2023-11-14T22:13:21+00:00"


def test_wait_for_in_time(host: Any) -> None:
    async def main() -> Any:
        return await asyncio.wait_for(step("a"), 5)

    run = host(main)
    assert run.asked == ["timer 5", "step a"]
    turn = run.complete("a", 1)
    assert [c.kind for c in turn.abandoned] == ["timer"]
    assert run.result == 1


def test_wait_for_too_late(host: Any) -> None:
    async def main() -> Any:
        try:
            await asyncio.wait_for(step("a"), 5)
        except TimeoutError:
            return "late"

    run = host(main)
    turn = run.fire()
    assert [c.name for c in turn.abandoned] == ["a"]
    assert run.result == "late"


def test_wait_for_asks_in_the_same_order_on_all_versions(host: Any) -> None:
    async def main() -> None:
        await asyncio.gather(asyncio.wait_for(step("a"), 5), asyncio.wait_for(step("b"), 6))

    assert host(main).asked == ["timer 5", "step a", "timer 6", "step b"]


def test_wait_for_without_time(host: Any) -> None:
    async def main() -> Any:
        outcomes = [await asyncio.wait_for(step("a"), None)]
        try:
            await asyncio.wait_for(step("b"), 0)
        except TimeoutError:
            outcomes.append("late")
        return outcomes

    run = host(main)
    run.complete("a", 1)
    assert run.result == [1, "late"]
    assert run.replay.issued == 2  # b was never asked for


def test_timeout_and_reschedule(host: Any) -> None:
    async def main() -> Any:
        try:
            async with asyncio.timeout(5) as limit:
                await step("a")
                limit.reschedule(asyncio.get_running_loop().time() + 60)
                await step("b")
        except TimeoutError:
            return [limit.expired(), limit.when()]

    run = host(main)
    turn = run.complete("a")
    assert run.asked == ["timer 60", "step b"]
    assert [c.number for c in turn.abandoned] == [1]
    run.fire()
    expired, when = run.result
    assert expired
    assert when == pytest.approx(60, abs=0.001)


def test_timeout_at_lets_other_cancels_through(host: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout_at(5):
            await step("a")

    run = host(main)
    run.cancel()
    assert run.finish.status == "cancelled"


def test_nested_timeouts(host: Any) -> None:
    async def main() -> Any:
        trace = []
        try:
            async with asyncio.timeout(10):
                try:
                    async with asyncio.timeout(5):
                        await step("a")
                except TimeoutError:
                    trace.append("inner")
                await step("b")
        except TimeoutError:
            trace.append("outer")
        return trace

    run = host(main)
    run.fire()
    run.fire()
    assert run.result == ["inner", "outer"]


def test_shield_keeps_the_step(host: Any) -> None:
    async def main() -> Any:
        inner = asyncio.create_task(step("a"))
        try:
            await asyncio.wait_for(asyncio.shield(inner), 5)
        except TimeoutError:
            return ["late", await inner]

    run = host(main)
    turn = run.fire()
    assert turn.abandoned == []
    run.complete("a", 1)
    assert run.result == ["late", 1]


def test_a_timer_that_is_due_comes_after_what_is_ready_and_in_the_order_of_its_time(host: Any) -> None:
    async def main() -> Any:
        order: list[str] = []
        loop = asyncio.get_running_loop()
        loop.call_later(0, order.append, "due")
        loop.call_at(loop.time() - 1, order.append, "long due")
        loop.call_later(0, order.append, "due, too")
        loop.call_later(0, order.append, "cancelled").cancel()
        loop.call_soon(order.append, "soon")
        await asyncio.sleep(0)
        order.append("a round later")
        await asyncio.sleep(0)
        return order

    assert host(main).result == ["soon", "a round later", "long due", "due", "due, too"]


def test_what_is_due_with_the_end_still_runs_and_what_comes_after_does_not(host: Any) -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        loop.call_later(0, ran.append, "with")
        loop.call_later(0, loop.call_later, 0, ran.append, "after")
        return "done"

    ran: list[str] = []
    assert host(main).result == "done"
    assert ran == ["with"]
