"""Every construct of asyncio that workflows may use, one example each, live and rebuilt at every event."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

import orquestrax.replay.context as ox
from tests.unit.replaykit import BEGAN, Host, SECOND, UNFIT, all_closed, step  # noqa: F401 - a fixture


@pytest.fixture(params=[False, True], ids=["live", "evicted"])
def host(request: pytest.FixtureRequest) -> Any:
    hosts = []

    def make(main: Any, **names: Any) -> Host:
        made = Host(main, evict=request.param, **names)
        hosts.append(made)
        return made

    yield make
    for each in hosts:
        each.replay.close()


def test_a_workflow_without_commands_ends_at_its_start(host: Any) -> None:
    async def main() -> int:
        return 7

    run = host(main)
    assert run.result == 7
    assert run.turn.finish is run.finish
    assert run.turn.commands == [run.finish]
    assert run.finish.number == run.replay.issued == 1


def test_steps_one_after_the_other(host: Any) -> None:
    async def main() -> list[Any]:
        return [await step("a", 1), await step("b", 2)]

    run = host(main)
    assert run.asked == ["step a"]
    [command] = run.turn.commands
    assert (command.arguments, command.asked_at) == (b"[1]", BEGAN)
    run.complete("a", "one")
    assert run.asked == ["step b"]
    run.complete("b", {"n": 2})
    assert run.result == ["one", {"n": 2}]


def test_a_failed_step_raises_what_it_rebuilds(host: Any) -> None:
    async def main() -> str:
        try:
            await step("a")
        except Exception as error:
            return f"{type(error).__name__} {error}"
        return "?"

    run = host(main)
    run.fail("a", "broken")
    assert run.result == "Failure broken"


def test_an_exception_fails_the_workflow(host: Any) -> None:
    async def main() -> None:
        await step("a")
        raise ValueError("bad")

    run = host(main)
    run.complete()
    assert run.error == ["ValueError", "bad"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_would_end_a_process_fails_the_workflow(host: Any, error: type[BaseException]) -> None:
    async def main() -> None:
        await step("a")
        raise error

    run = host(main)
    run.complete()
    assert run.error == [error.__name__, ""]


def test_an_interrupt_in_a_child_task_reaches_who_awaits_it(host: Any) -> None:
    async def child() -> None:
        await step("a")
        raise SystemExit(3)

    async def main() -> str:
        task = asyncio.create_task(child())
        try:
            await task
        except SystemExit as error:
            return f"exit {error.code}"
        return "?"

    run = host(main)
    run.complete()
    assert run.result == "exit 3"


def test_main_that_cannot_be_made_fails(host: Any) -> None:
    def main() -> Any:
        raise TypeError("missing an argument")

    assert host(main).error == ["TypeError", "missing an argument"]


def test_main_that_is_no_coroutine_fails(host: Any) -> None:
    run = host(lambda: 5)
    assert run.error[0] == "TypeError"


def test_a_result_that_cannot_be_encoded_fails(host: Any) -> None:
    async def main() -> Any:
        loop: list[Any] = []
        loop.append(loop)
        return loop

    assert host(main).error[0] == "ValueError"


def test_a_result_that_does_not_fit_its_type_any_more_raises(host: Any) -> None:
    async def main() -> str:
        try:
            await step("a")
        except ValueError:
            return "unfit"
        return "?"

    run = host(main)
    run.complete("a", UNFIT)
    assert run.result == "unfit"


# -- time --


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


# -- many at once --


def test_gather_asks_in_order_and_returns_in_order(host: Any) -> None:
    async def main() -> list[Any]:
        return await asyncio.gather(step("a"), asyncio.sleep(5, "b"), step("c"))

    run = host(main)
    assert run.asked == ["step a", "timer 5", "step c"]
    run.complete("c", "C")
    run.fire()
    run.complete("a", "A")
    assert run.result == ["A", "b", "C"]


def test_gather_raises_the_first_error_and_the_rest_goes_on(host: Any) -> None:
    async def main() -> Any:
        try:
            await asyncio.gather(step("a"), step("b"))
        except Exception as error:
            return [str(error), await step("c")]

    run = host(main)
    run.fail("b", "broken")
    assert run.asked == ["step a", "step c"]
    run.complete("a")
    run.complete("c", 3)
    assert run.result == ["broken", 3]


def test_gather_with_return_exceptions(host: Any) -> None:
    async def main() -> Any:
        return [str(each) for each in await asyncio.gather(step("a"), step("b"), return_exceptions=True)]

    run = host(main)
    run.fail("b", "broken")
    run.complete("a", 1)
    assert run.result == ["1", "broken"]


def test_cancelled_gather_abandons_its_steps(host: Any) -> None:
    async def main() -> None:
        await asyncio.gather(step("a"), step("b"), asyncio.sleep(5))

    run = host(main)
    turn = run.cancel()
    assert [c.number for c in turn.abandoned] == [1, 2, 3]
    assert run.finish.status == "cancelled"


def test_task_group(host: Any) -> None:
    async def main() -> Any:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(step(name)) for name in "abc"]
        return [task.result() for task in tasks]

    run = host(main)
    assert run.asked == ["step a", "step b", "step c"]
    for name in "bca":
        run.complete(name, name.upper())
    assert run.result == ["A", "B", "C"]


def test_task_group_cancels_the_others_and_raises_a_group(host: Any) -> None:
    cleaned: list[str] = []

    async def child(name: str) -> None:
        try:
            await step(name)
        finally:
            cleaned.append(name)

    async def main() -> Any:
        cleaned.clear()
        try:
            async with asyncio.TaskGroup() as group:
                for name in "abcd":
                    group.create_task(child(name))
        except ExceptionGroup as caught:
            return [repr(caught), cleaned]

    run = host(main)
    turn = run.fail("b", "broken")
    assert [c.name for c in turn.abandoned] == ["a", "c", "d"]
    text, order = run.result
    assert "broken" in text
    assert order == ["b", "a", "c", "d"]


def test_create_task_runs_beside(host: Any) -> None:
    async def main() -> Any:
        task = asyncio.create_task(step("a"))
        own = await step("b")
        return [own, await task, task.get_name(), asyncio.current_task().get_name()]  # type: ignore[union-attr]

    run = host(main)
    assert run.asked == ["step b", "step a"]  # the task begins after its maker waits
    run.complete("a", 1)
    run.complete("b", 2)
    assert run.result == [2, 1, "order-1:2", "order-1:1"]


def test_cancelled_task(host: Any) -> None:
    async def main() -> str:
        task = asyncio.create_task(step("a"), name="mine")
        await asyncio.sleep(1)
        task.cancel("enough")
        try:
            await task
        except asyncio.CancelledError:
            return f"{task.get_name()} {task.cancelled()}"
        return "?"

    run = host(main)
    turn = run.fire()
    assert [c.name for c in turn.abandoned] == ["a"]
    assert run.result == "mine True"


def test_wait_returns_sets_in_the_order_of_making(host: Any) -> None:
    async def main() -> Any:
        tasks = {asyncio.create_task(step(str(n)), name=str(n)) for n in range(40)}
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return [[task.get_name() for task in each] for each in (done, pending)]

    run = host(main)
    turn = run.complete("17")
    names = [str(n) for n in range(40) if n != 17]
    assert [c.name for c in turn.abandoned] == names
    done, pending = run.result
    assert done == ["17"]
    assert pending == sorted(pending, key=lambda name: hash(int(name) + 2) % 128)


def test_as_completed_makes_its_tasks_in_order(host: Any) -> None:
    async def main() -> Any:
        results = []
        for each in asyncio.as_completed([step(name) for name in "abcdefgh"], timeout=60):
            results.append(await each)
        return results

    run = host(main)
    assert [c for c in run.asked if c.startswith("step")] == [f"step {name}" for name in "abcdefgh"]
    for name in "hgfedcba":
        run.complete(name, name)
    assert "".join(run.result) == "hgfedcba"


def test_gathers_have_their_place_in_sets(host: Any) -> None:
    async def main() -> Any:
        gathers = [asyncio.gather(asyncio.sleep(n + 1, n), return_exceptions=True) for n in range(9)]
        _, pending = await asyncio.wait(gathers, timeout=0.5)
        return [gathers.index(each) for each in pending]

    run = host(main)
    run.fire()
    assert run.result == list(range(9))


def test_all_tasks_and_current_task(host: Any) -> None:
    async def main() -> Any:
        task = asyncio.create_task(asyncio.sleep(1))
        await asyncio.sleep(0)
        mine = asyncio.current_task()
        return [
            asyncio.all_tasks() == {task, mine},
            asyncio.all_tasks(asyncio.get_running_loop()) == {task, mine},
        ]

    assert host(main).result == [True, True]


# -- limits of time --


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


# -- messages --


def test_receive_waits_and_decodes(host: Any) -> None:
    async def main() -> Any:
        return [await ox.receive("go", int), await ox.receive("go"), await ox.receive("go", type(None))]

    run = host(main)
    assert run.asked == ["receive go"]
    run.signal("other", 9)
    run.signal("go", 1)
    run.signal("go", {"free": ["form"]})
    run.signal("go")
    assert run.result == [1, {"free": ["form"]}, None]
    assert [(u.kind, u.name, u.message, bytes(u.payload or b"")) for u in run.replay.unhandled()] == [
        ("signal", "other", "m1", b"9")
    ]


def test_signals_are_kept_in_order_until_received(host: Any) -> None:
    async def main() -> Any:
        await step("a")
        return [await ox.receive("go", int) for _ in range(3)]

    run = host(main)
    for n in range(3):
        run.signal("go", n)
    assert [bytes(u.payload or b"") for u in run.replay.unhandled()] == [b"0", b"1", b"2"]
    run.complete("a")
    assert run.result == [0, 1, 2]
    assert run.replay.issued == 5  # received at once, and counted


def test_receivers_get_signals_in_the_order_of_waiting(host: Any) -> None:
    async def main() -> Any:
        return await asyncio.gather(*[ox.receive("go", int) for _ in range(3)])

    run = host(main)
    for n in range(3):
        run.signal("go", n)
    assert run.result == [0, 1, 2]


def test_a_cancelled_receiver_loses_no_signal(host: Any) -> None:
    async def main() -> Any:
        first = asyncio.create_task(ox.receive("go", int))
        second = asyncio.create_task(ox.receive("go", int))
        await asyncio.sleep(1)
        first.cancel()
        try:
            await asyncio.wait_for(ox.receive("never"), 1)
        except TimeoutError:
            pass
        return await second

    run = host(main)
    run.fire()
    run.fire()
    run.signal("go", 1)
    assert run.result == 1


def test_receive_too_late_leaves_the_signal(host: Any) -> None:
    async def main() -> Any:
        try:
            async with asyncio.timeout(3):
                await ox.receive("go", int)
        except TimeoutError:
            await step("a")
            return await ox.receive("go", int)

    run = host(main)
    turn = run.fire()
    assert [c.kind for c in turn.abandoned] == ["receive"]
    run.signal("go", 5)
    run.complete("a")
    assert run.result == 5


def test_a_payload_that_does_not_fit_is_consumed(host: Any) -> None:
    async def main() -> Any:
        try:
            await ox.receive("go", int)
        except ValueError as error:
            return ["ValueError", str(error)]
        except Exception as error:
            return [type(error).__name__, str(error), await ox.receive("go", int)]

    run = host(main)
    run.signal("go", "text")
    run.signal("go", 2)
    name, message, second = run.result
    assert name == "PayloadError"
    assert "signal 'go'" in message
    assert second == 2


@pytest.mark.parametrize("name", ["", None, 5])
def test_receive_needs_a_name(host: Any, name: Any) -> None:
    async def main() -> None:
        await ox.receive(name)

    assert host(main).error[0] == "InvalidInput"


# -- cancellation and the end --


def test_cancel_reaches_the_main_task_and_may_be_answered(host: Any) -> None:
    async def main() -> Any:
        try:
            await step("a")
        except asyncio.CancelledError:
            return [await step("undo"), asyncio.current_task().uncancel()]  # type: ignore[union-attr]

    run = host(main)
    turn = run.cancel()
    assert [c.name for c in turn.abandoned] == ["a"]
    run.complete("undo", 1)
    assert run.result == [1, 0]


def test_cleanup_after_cancel_may_wait(host: Any) -> None:
    async def main() -> None:
        try:
            await step("a")
        finally:
            await asyncio.sleep(5)
            await step("undo")

    run = host(main)
    run.cancel()
    assert run.asked == ["timer 5"]
    run.fire()
    run.complete("undo")
    assert run.finish.status == "cancelled"


def test_what_still_runs_at_the_end_is_cancelled_in_order_and_waited_for(host: Any) -> None:
    trace: list[str] = []

    async def beside(name: str) -> None:
        try:
            await step(name)
        finally:
            trace.append(name)
            await step(f"undo {name}")

    async def main() -> list[str]:
        trace.clear()
        for name in "abc":
            asyncio.create_task(beside(name))  # noqa: RUF006 - that is what is tested
        await asyncio.sleep(1)
        return trace

    run = host(main)
    run.fire()
    assert run.asked == ["step undo a", "step undo b", "step undo c"]
    for name in "cab":
        assert run.replay.finish is None
        run.complete(f"undo {name}")
    assert run.result == ["a", "b", "c"]


def test_tasks_made_by_cleanup_at_the_end_are_cancelled_too(host: Any) -> None:
    async def late() -> None:
        try:
            await step("never")
        finally:
            await step("last")

    async def beside() -> None:
        try:
            await step("a")
        finally:
            asyncio.create_task(late())  # noqa: RUF006
            await step("undo")

    async def main() -> str:
        asyncio.create_task(beside())  # noqa: RUF006
        await asyncio.sleep(1)
        return "done"

    run = host(main)
    run.fire()
    assert run.asked == ["step undo", "step never"]
    run.complete("undo")
    assert run.asked == ["step last"]
    run.complete("last")
    assert run.result == "done"


def test_cleanup_at_the_end_cannot_cancel_the_end(host: Any) -> None:
    async def beside() -> None:
        try:
            await step("a")
        finally:
            for task in asyncio.all_tasks():
                task.cancel()

    async def main() -> str:
        asyncio.create_task(beside())  # noqa: RUF006
        await asyncio.sleep(1)
        return "done"

    run = host(main)
    run.fire()
    assert run.result == "done"


def test_timers_without_a_task_are_dropped_at_the_end(host: Any) -> None:
    async def main() -> str:
        asyncio.get_running_loop().call_later(60, print, "never")
        await step("a")
        return "done"

    run = host(main)
    turn = run.complete("a")
    assert [c.kind for c in turn.abandoned] == ["timer"]
    assert run.result == "done"


def test_half_used_generators_are_closed_at_the_end(host: Any) -> None:
    async def numbers() -> Any:
        try:
            for n in range(10):
                yield n
        finally:
            await step("close")

    async def main() -> Any:
        async for n in numbers():
            if n == 2:
                break
        return await step("a")

    run = host(main)
    assert run.asked == ["step a"]  # not at the break: when it is collected must not matter
    run.complete("a", 5)
    assert run.asked == ["step close"]
    run.complete("close")
    assert run.result == 5


def test_many_used_up_generators_are_let_go(host: Any) -> None:
    async def one() -> Any:
        yield 1

    async def main() -> int:
        total = 0
        for _ in range(500):
            async for n in one():
                total += n
        return total

    run = host(main)
    assert run.result == 500


def test_aclosing_closes_at_once(host: Any) -> None:
    async def numbers() -> Any:
        try:
            yield 1
        finally:
            await step("close")

    async def main() -> Any:
        async with contextlib.aclosing(numbers()) as source:
            async for n in source:
                return n

    run = host(main)
    assert run.asked == ["step close"]
    run.complete("close")
    assert run.result == 1


# -- other parts of asyncio that simply work --


def test_locks_events_queues_and_semaphores(host: Any) -> None:
    async def worker(name: str, queue: Any, lock: Any, seen: list[Any]) -> None:
        while (item := await queue.get()) is not None:
            async with lock:
                seen.append([name, item, await step(f"work {item}")])
        await queue.put(None)

    async def main() -> Any:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        seen: list[Any] = []
        semaphore = asyncio.Semaphore(2)
        workers = [asyncio.create_task(worker(name, queue, semaphore, seen)) for name in "xyz"]
        for n in range(4):
            queue.put_nowait(n)
        queue.put_nowait(None)
        ready = asyncio.Event()
        asyncio.get_running_loop().call_later(1, ready.set)
        async with asyncio.Lock():
            await ready.wait()
        await asyncio.gather(*workers)
        condition = asyncio.Condition()
        async with condition:
            condition.notify_all()
        await asyncio.Barrier(1).wait()
        return seen

    run = host(main)
    assert run.asked == ["timer 1", "step work 0", "step work 1"]
    run.fire()
    for n in range(4):
        run.complete(f"work {n}", n * 10)
    assert sorted(item for _, item, _ in run.result) == [0, 1, 2, 3]


def test_ids_and_randomness_are_the_same_again_and_differ_by_instance() -> None:
    async def main() -> Any:
        values = [str(ox.uuid4()), str(ox.uuid4()), ox.random().random()]
        await step("a")
        return [*values, str(ox.uuid4()), ox.random().randint(0, 10**9), ox.random() is ox.random()]

    results = []
    for key in (7, 7, 8):
        run = Host(main, key=key)
        run.complete()
        results.append(run.result)
    assert results[0] == results[1]
    assert not set(results[0][:5]) & set(results[2][:5])
    assert results[0][0][14] == "4"
    assert results[0][5]


def test_more_ids_do_not_shift_the_randomness() -> None:
    def main(ids: int) -> Any:
        async def run() -> float:
            for _ in range(ids):
                ox.uuid4()
            return ox.random().random()

        return run

    assert Host(main(0)).result == Host(main(5)).result


def test_info(host: Any) -> None:
    async def main() -> Any:
        info = ox.info()
        return [info.id, str(info.key), info.definition, info.version, info.started_at.timestamp() * SECOND]

    assert host(main, id="order-9").result == [
        "order-9", "00000000-0000-0000-0000-000000000007", "order", "1", BEGAN,
    ]  # fmt: skip


def test_each_instance_has_its_own_context() -> None:
    from contextvars import ContextVar

    variable = ContextVar("variable", default="unset")
    variable.set("of the host")

    async def main() -> Any:
        seen = [variable.get()]
        variable.set("mine")
        await step("a")
        return [*seen, variable.get(), await asyncio.create_task(read())]

    async def read() -> str:
        return variable.get()

    first, second = Host(main), Host(main)
    first.complete()
    second.complete()
    assert first.result == second.result == ["unset", "mine", "mine"]
    assert variable.get() == "of the host"
