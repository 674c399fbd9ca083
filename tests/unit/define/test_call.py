"""A call is driven like a coroutine: once, by whoever wants, and it says so when nobody did."""

from __future__ import annotations

import asyncio
import gc
import inspect
import warnings
from collections.abc import Iterator

import pytest

from orquestrax import resource, step, use, workflow

ran = []


@step
async def double(number: int) -> int:
    ran.append(number)
    await asyncio.sleep(0)
    return 2 * number


@step
def halve(number: int) -> int:
    return number // 2


@step(raises=(ValueError,))
async def refuse(number: int) -> int:
    raise ValueError(number)


@resource
def pool() -> Iterator[str]:
    yield "pool"


@step
async def pooled(text: str, pool: str = use(pool)) -> str:
    return text + pool


@pytest.fixture(autouse=True)
def _nothing_ran():
    ran.clear()


async def test_every_way_to_drive_it_gives_the_result():
    assert await double(1) == 2
    assert await asyncio.gather(double(2), halve(9)) == [4, 4]
    assert await asyncio.create_task(double(3)) == 6
    assert await asyncio.wait_for(halve(8), 5) == 4
    assert await asyncio.shield(double(4)) == 8
    async with asyncio.TaskGroup() as group:
        task = group.create_task(double(5))
    assert task.result() == 10
    done, _ = await asyncio.wait([asyncio.ensure_future(halve(2))])
    assert [t.result() for t in done] == [1]


def test_it_can_be_run_by_asyncio_run_too():
    async def main():
        return await double(7)

    assert asyncio.run(main()) == 14
    assert asyncio.run(double(8)) == 16
    with asyncio.Runner() as runner:
        assert runner.run(halve(8)) == 4


async def test_errors_come_out_of_every_way():
    for way in (asyncio.ensure_future, asyncio.create_task, asyncio.gather):
        with pytest.raises(ValueError, match="5"):
            await way(refuse(5))


async def test_nothing_runs_before_it_is_driven():
    call = double(1)
    await asyncio.sleep(0)
    assert ran == []
    assert await call == 2
    assert ran == [1]


async def test_awaited_twice_raises_and_runs_once():
    call = double(1)
    await call
    with pytest.raises(RuntimeError, match=r"test_call.py:\d+: this call of step double was awaited before"):
        await call
    with pytest.raises(RuntimeError, match="awaited before"):
        await asyncio.create_task(call)
    assert ran == [1]


async def test_awaited_after_a_task_took_it_raises():
    call = double(1)
    task = asyncio.create_task(call)
    await task
    with pytest.raises(RuntimeError, match="awaited before"):
        await call
    with pytest.raises(RuntimeError, match="already awaited"):
        await asyncio.create_task(call)
    assert ran == [1]


def test_never_driven_it_warns_like_a_coroutine():
    line = inspect.currentframe().f_lineno + 2
    with pytest.warns(RuntimeWarning, match="step 'double' was never awaited") as caught:
        double(1)
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


def test_closed_without_being_driven_it_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call = double(1)
        call.close()
        del call
        gc.collect()
    assert ran == []


async def test_a_task_cancelled_before_it_began_runs_nothing_and_is_silent():
    task = asyncio.create_task(double(1))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ran == []


async def test_cancelling_a_running_one_reaches_the_function():
    seen, started = [], asyncio.Event()

    @step
    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    task = asyncio.create_task(wait())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


async def test_throw_before_the_start_ends_it():
    call = double(1)
    with pytest.raises(KeyError):
        call.throw(KeyError("x"))
    with pytest.raises(RuntimeError, match="awaited before"):
        await call
    other = double(1)
    with pytest.raises(ValueError, match="text"):
        other.throw(ValueError, "text", None)
    assert ran == []


async def test_closed_while_it_runs_it_unwinds():
    seen = []

    @step
    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("unwound")

    call = wait()
    call.send(None)
    call.close()
    assert seen == ["unwound"]


async def test_it_knows_where_it_was_made_and_names_its_task():
    call = double(1)
    line = inspect.currentframe().f_lineno - 1
    assert (call.file, call.line) == (__file__, line)
    assert repr(call).startswith("<call of step double at ")
    task = asyncio.create_task(call)
    assert "coro=<double()" in repr(task)
    await task


async def test_a_function_that_raises_stop_iteration_in_its_thread_does_not_hang():
    @step
    def exhausted() -> int:
        return next(iter(()))

    with pytest.raises(RuntimeError, match="raised StopIteration"):
        await asyncio.wait_for(exhausted(), 10)


@workflow
async def both(number: int) -> list[int]:
    first = await double(number)
    return [first, *await asyncio.gather(double(first), halve(first))]


def test_in_a_workflow_it_asks_and_runs_nothing(begin):
    instance = begin(both, 3)
    [asked] = instance.asked()
    assert (asked.step, asked.name, asked.arguments) == (double, double.name, b"[3]")
    assert (asked.file, asked.line) == (__file__, both.line + 2)
    instance.answer(asked, result=b"6")
    pair = instance.asked()
    assert [(c.step, c.arguments) for c in pair] == [(double, b"[6]"), (halve, b"[6]")]
    instance.answer(pair[1], result=b"3")
    instance.answer(pair[0], result=b"12")
    assert instance.ended == ("completed", [6, 12, 3])
    assert ran == []


def test_in_a_workflow_it_asks_when_driven_not_when_made(begin):
    @workflow
    async def late() -> list[int]:
        one, two = double(1), double(2)
        return [await two, await one]

    instance = begin(late)
    [asked] = instance.asked()
    assert asked.arguments == b"[2]"
    instance.answer(asked, result=b"4")
    [asked] = instance.asked()
    assert asked.arguments == b"[1]"


def test_in_a_workflow_awaited_twice_raises(begin):
    @workflow
    async def twice() -> int:
        call = double(1)
        return await call + await call

    instance = begin(twice)
    [asked] = instance.asked()
    instance.answer(asked, result=b"2")
    status, error = instance.ended
    assert (status, error["type"]) == ("failed", "RuntimeError")
    assert "was awaited before" in error["message"]


def test_in_a_workflow_arguments_that_do_not_fit_raise_where_it_is_awaited(begin):
    @workflow
    async def wrong() -> str:
        try:
            await double("x")
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""

    instance = begin(wrong)
    status, text = instance.ended
    assert status == "completed"
    assert text.startswith("PayloadError: step 'double' (")
    assert "argument 'number'" in text


def test_the_body_of_a_step_may_run_another_step_directly():
    @step
    async def outer(number: int) -> int:
        return await double(number) + await halve(number)

    assert asyncio.run(outer(10)) == 25


def test_calls_of_an_instance_that_is_evicted_do_not_complain(begin):
    @workflow
    async def waits() -> int:
        calls = [double(number) for number in range(3)]
        await asyncio.sleep(60)
        return sum(await asyncio.gather(*calls))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        instance = begin(waits)
        instance.replay.close()
        gc.collect()


def test_an_undriven_call_of_a_workflow_complains(begin):
    @workflow
    async def forgets() -> None:
        double(1)

    with pytest.warns(RuntimeWarning, match="step 'double' was never awaited"):
        begin(forgets)


def test_a_resource_cannot_be_passed_in_a_workflow(begin):
    @workflow
    async def passes() -> str:
        return await pooled("a", "mine")

    status, error = begin(passes).ended
    assert (status, error["type"]) == ("failed", "PayloadError")
    assert "pool" in error["message"]
