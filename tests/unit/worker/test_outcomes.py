"""What a body does, and what is told of it: exactly once, and the node lives on."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import AsyncIterator

import pytest

from orquestrax.base import failures
from orquestrax.base.errors import RetryAfter
from orquestrax.define.resource import resource, use
from orquestrax.model.jobs import Errored, Succeeded
from orquestrax.model.options import Retry


class Declined(Exception):
    pass


async def double(n: int) -> int:
    return n * 2


def treble(n: int) -> int:
    return n * 3


@pytest.mark.parametrize(("fn", "result"), [(double, b"42"), (treble, b"63")])
async def test_a_result_is_told_encoded_with_its_times(rig, fn, result):
    before = rig.clock.now()
    outcome = await rig.run(fn, 21)
    assert isinstance(outcome, Succeeded)
    assert outcome.result == result
    assert before <= outcome.started_at <= outcome.ended_at <= rig.clock.now()


async def test_nothing_is_told_before_start_has_returned(rig):
    rig.runner.start(job := rig.job(double, 1))
    assert rig.ended.empty()
    assert dict(rig.runner.running) == {job.key: job}
    await rig.outcome(job)
    assert not rig.runner.running


async def test_the_slot_is_free_and_the_body_gone_when_its_end_is_told(rig):
    seen = []
    rig.runner._on_end = lambda job, _: seen.append((rig.runner.free("async"), job.key in rig.runner.running))
    for _ in range(10):
        rig.runner.start(rig.job(double, 1))
    while len(seen) < 10:
        await asyncio.sleep(0)
    assert seen == [(n, False) for n in range(1, 11)]


async def test_slots_are_counted_by_executor_and_never_exceeded(rig):
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    jobs = [rig.job(wait) for _ in range(10)]
    for job in jobs:
        assert rig.runner.has_slot("async")
        rig.runner.start(job)
    assert (rig.runner.free("async"), rig.runner.free("thread")) == (0, 3)
    refused = rig.job(wait)
    with pytest.raises(RuntimeError, match="no free slot"):
        rig.runner.start(refused)
    assert refused.key not in rig.runner.running
    gate.set()
    for job in jobs:
        await rig.outcome(job)
    assert rig.runner.free("async") == 10


async def test_one_body_is_never_started_twice(rig):
    rig.runner.start(job := rig.job(double, 1))
    with pytest.raises(RuntimeError, match="running already"):
        rig.runner.start(job)
    await rig.outcome(job)
    rig.runner.start(job)
    assert isinstance(await rig.outcome(job), Succeeded)


def raising(error):
    """The same body for both executors: it raises what it is given."""

    async def on_the_loop() -> None:
        raise error

    def in_a_thread() -> None:
        raise error

    return [on_the_loop, in_a_thread]


ANYTHING = [
    ValueError("no"),
    SystemExit(3),
    KeyboardInterrupt("^C"),
    GeneratorExit(),
    asyncio.CancelledError("mine"),
    BaseExceptionGroup("several", [KeyError("a"), SystemExit(1)]),
    TimeoutError("a socket's"),
]


@pytest.mark.parametrize("error", ANYTHING, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("executor", [0, 1], ids=["async", "thread"])
async def test_whatever_a_body_raises_is_a_failed_attempt(rig, error, executor):
    outcome = await rig.run(raising(error)[executor])
    assert isinstance(outcome, Errored)
    failure = failures.decode(outcome.error)
    assert failure.type == type(error).__name__
    assert failure.step == ["on_the_loop", "in_a_thread"][executor]
    assert "test_outcomes.py" in failure.traceback
    assert outcome.delay is None
    assert isinstance(await rig.run(treble, 1), Succeeded)


async def test_stop_iteration_of_a_thread_is_a_failed_attempt(rig):
    def exhausted() -> int:
        return next(iter([]))

    assert failures.decode((await rig.run(exhausted)).error).type == "StopIteration"


async def test_a_body_that_cancels_itself_has_failed(rig):
    async def hara_kiri() -> None:
        asyncio.current_task().cancel()
        await asyncio.sleep(10)

    assert failures.decode((await rig.run(hara_kiri)).error).type == "CancelledError"


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no words")


async def test_an_error_that_cannot_be_shown_is_told_all_the_same(rig):
    async def fail() -> None:
        raise Unspeakable

    assert failures.decode((await rig.run(fail)).error).type == "Unspeakable"


@pytest.mark.parametrize("fn", [double, treble])
async def test_arguments_that_no_longer_fit_are_a_failed_attempt(rig, fn):
    for arguments in [("text",), (), (1, 2)]:
        assert isinstance(await rig.run(fn, *arguments), Errored)


async def test_a_result_that_does_not_fit_is_a_failed_attempt(rig):
    async def lies() -> int:
        return "text"

    def lies_too() -> int:
        return object()

    assert isinstance(await rig.run(lies), Errored)
    assert isinstance(await rig.run(lies_too), Errored)


async def test_a_failure_is_retried_as_its_options_say(rig):
    async def declined() -> None:
        raise Declined

    async def later() -> None:
        raise RetryAfter(77)

    three = Retry(attempts=3, jitter=0)
    assert (await rig.run(declined, retry=three)).delay == 1
    assert (await rig.run(declined, retry=three, attempt=2)).delay == 2
    assert (await rig.run(declined, retry=three, attempt=3)).delay is None
    assert (await rig.run(declined, retry=Retry(never=(Declined,)))).delay is None
    assert (await rig.run(declined, retry=three, raises=(Declined,))).delay == 1
    assert (await rig.run(later, retry=three)).delay == 77


async def test_max_elapsed_counts_from_the_first_attempt(rig):
    async def fail() -> None:
        raise ValueError

    retry = Retry(attempts=9, initial=10, backoff=1, jitter=0, max_elapsed=60)
    assert (await rig.run(fail, retry=retry)).delay == 10
    assert (await rig.run(fail, retry=retry, attempt=2, first=45, asked=500)).delay == 10
    assert (await rig.run(fail, retry=retry, attempt=2, first=55, asked=55)).delay is None


opened = []


@resource
async def pool() -> AsyncIterator[str]:
    opened.append("pool")
    yield "a pool"


@resource
async def broken() -> AsyncIterator[str]:
    raise ConnectionError("nobody there")
    yield "never"


async def taking(n: int, pool: str = use(pool)) -> str:
    return f"{n} {pool}"


def taking_in_thread(n: int, pool: str = use(pool)) -> str:
    return f"{n} {pool}"


async def taking_broken(pool: str = use(broken)) -> str:
    return pool


async def test_resources_are_bound_and_made_once(rig):
    opened.clear()
    assert (await rig.run(taking, 1)).result == b'"1 a pool"'
    assert (await rig.run(taking_in_thread, 2)).result == b'"2 a pool"'
    assert opened == ["pool"]


async def test_a_resource_that_cannot_be_made_is_a_failed_attempt(rig):
    outcome = await rig.run(taking_broken, retry=Retry(jitter=0))
    assert failures.decode(outcome.error).type == "ConnectionError"
    assert outcome.delay == 1


marker = contextvars.ContextVar("marker", default="clean")


@pytest.mark.parametrize("in_thread", [False, True])
async def test_every_body_has_a_context_of_its_own(rig, in_thread):
    def look() -> str:
        seen = marker.get()
        marker.set("dirty")
        return seen

    async def look_async() -> str:
        return look()

    marker.set("the starter's")
    for _ in range(2):
        assert (await rig.run(look if in_thread else look_async)).result == b'"clean"'
    assert marker.get() == "the starter's"


async def test_the_node_is_told_in_its_own_context(make_rig):
    marker.set("the node's")
    rig = make_rig()
    seen = []
    tell = rig.runner._on_end
    rig.runner._on_end = lambda job, outcome: (seen.append(marker.get()), tell(job, outcome))
    marker.set("a turn's")
    await rig.run(double, 1)
    assert seen == ["the node's"]


async def test_tasks_and_threads_carry_the_name_of_their_body(rig):
    import threading

    async def task_name() -> str:
        return asyncio.current_task().get_name()

    def thread_name() -> str:
        return threading.current_thread().name

    assert (await rig.run(task_name)).result == b'"task_name#1@order-42"'
    assert (await rig.run(thread_name)).result == b'"thread_name#2@order-42"'


async def test_a_body_is_held_while_only_it_knows_what_it_waits_for(rig):
    waiting = []

    async def wait() -> str:
        future = asyncio.get_running_loop().create_future()
        waiting.append(weakref.ref(future))
        return await future

    rig.runner.start(job := rig.job(wait))
    while not waiting:
        await asyncio.sleep(0)
    gc.collect()
    waiting[0]().set_result("held")
    assert (await rig.outcome(job)).result == b'"held"'


class Heavy(Exception):
    pass


@pytest.mark.parametrize("executor", [0, 1], ids=["async", "thread"])
async def test_an_ended_body_leaves_nothing_behind_for_the_collector(rig, executor):
    kept = []

    def fail() -> None:
        error = Heavy()
        kept.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    async def fail_async() -> None:
        fail()

    gc.collect()
    gc.disable()
    try:
        await rig.run([fail_async, fail][executor])
        async with asyncio.timeout(20):
            while kept[0]() is not None:  # a thread lets go a moment after the end is told
                await asyncio.sleep(0.001)
    finally:
        gc.enable()


async def test_no_task_factory_runs_the_body_in_start(rig):
    """An eager one would, and then tell the outcome before the job is known to run."""
    made = []
    asyncio.get_running_loop().set_task_factory(lambda loop, coro, **_: made.append(coro))
    rig.runner.start(job := rig.job(double, 1))
    asyncio.get_running_loop().set_task_factory(None)
    assert made == []
    assert isinstance(await rig.outcome(job), Succeeded)


async def test_an_exception_of_the_listener_harms_no_other_body(rig):
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    tell = rig.runner._on_end

    def fail_once(job, outcome):
        rig.runner._on_end = tell
        raise ValueError("the listener's")

    rig.runner._on_end = fail_once
    rig.runner.start(rig.job(double, 1))
    assert isinstance(await rig.run(double, 2), Succeeded)
    assert [type(e) for e in told] == [ValueError]
    assert rig.runner.free("async") == 10
