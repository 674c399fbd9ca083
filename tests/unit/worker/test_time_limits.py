"""timeout, total_timeout, queue_timeout: who is cut when, and what the workflow is told."""

from __future__ import annotations

import asyncio
import threading

import pytest

from orquestrax.base import failures
from orquestrax.base.errors import StepFailed, StepTimedOut
from orquestrax.model.jobs import Errored, Succeeded
from orquestrax.model.options import Retry
from orquestrax.worker.limits import end_limit, queue_deadline, start_limit

SOON = 0.02
TWICE = Retry(attempts=2, jitter=0)


async def forever() -> None:
    await asyncio.Event().wait()


async def quick() -> str:
    return "done"


def error_of(job, outcome):
    """What the workflow sees."""
    assert isinstance(outcome, Errored)
    return job.step.rebuild_error(outcome.error)


async def test_an_attempt_that_takes_too_long_is_cut(rig):
    rig.runner.start(job := rig.job(forever, timeout=SOON, retry=TWICE))
    outcome = await rig.outcome(job)
    error = error_of(job, outcome)
    assert isinstance(error, StepTimedOut)
    assert isinstance(error, StepFailed)
    assert isinstance(error, TimeoutError)
    assert error.message == "step 'forever' ran longer than 0.02 s (timeout=0.02)"
    assert error.step == "forever"
    assert outcome.delay == 1
    assert outcome.ended_at - outcome.started_at >= SOON * 0.9e6
    assert rig.runner.free("async") == 10
    assert not rig.runner.abandoned


async def test_the_sentence_names_whole_seconds_as_people_write_them(rig):
    job = rig.job(quick, timeout=30.0, total_timeout=86400, queue_timeout=0.25)
    assert str(end_limit(job, job.asked_at).error("charge")).endswith("ran longer than 30 s (timeout=30)")
    late = end_limit(job, job.asked_at + 86390 * 10**6)
    assert (
        late.error("charge").message == "step 'charge' took longer than 86400 s in all (total_timeout=86400)"
    )
    waited = start_limit(job).error("charge").message
    assert waited == "step 'charge' waited longer than 0.25 s to start (queue_timeout=0.25)"


async def test_who_ends_in_time_is_not_cut(rig):
    assert isinstance(await rig.run(quick, timeout=5, total_timeout=5, queue_timeout=5), Succeeded)


@pytest.mark.parametrize("executor", ["async", "thread"])
async def test_raises_does_not_claim_our_own_time_limits(rig, executor):
    gate = threading.Event()

    def stuck() -> None:
        gate.wait()

    fn = forever if executor == "async" else stuck
    rig.runner.start(job := rig.job(fn, timeout=SOON, raises=(TimeoutError,)))
    assert isinstance(error_of(job, await rig.outcome(job)), StepTimedOut)
    gate.set()


async def test_a_timeout_of_the_bodys_own_is_no_time_limit(rig):
    async def own() -> None:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()

    rig.runner.start(job := rig.job(own, timeout=60))
    error = error_of(job, await rig.outcome(job))
    assert not isinstance(error, StepTimedOut)
    assert error.type == "TimeoutError"


async def test_a_body_may_answer_its_cancellation_like_in_asyncio(rig):
    async def rescues() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "what I have"

    async def stumbles() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionError("while closing")

    assert (await rig.run(rescues, timeout=SOON)).result == b'"what I have"'
    assert failures.decode((await rig.run(stumbles, timeout=SOON)).error).type == "ConnectionError"


async def test_no_timer_outlives_its_body(rig):
    async def rescues() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "what I have"

    for fn, limit in [(quick, 60), (rescues, SOON)]:
        rig.runner.start(job := rig.job(fn, timeout=limit))
        attempt = rig.runner._attempts[job.key]
        timer = attempt.timer
        await rig.outcome(job)
        assert attempt.timer is None
        assert timer.cancelled() or fn is rescues


async def test_who_ignores_its_cancellation_is_given_up_and_holds_its_slot(rig):
    gate = asyncio.Event()

    async def stubborn() -> str:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    rig.runner.start(job := rig.job(stubborn, timeout=SOON))
    assert isinstance(error_of(job, await rig.outcome(job)), StepTimedOut)
    assert list(rig.runner.abandoned.values()) == [job]
    assert not rig.runner.running
    assert rig.runner.free("async") == 9
    gate.set()
    while rig.runner.abandoned:
        await asyncio.sleep(0)
    assert rig.freed == ["async"]
    assert rig.runner.free("async") == 10  # and the late result was told to nobody: the fixture looks


async def test_a_thread_is_left_behind_at_once_and_holds_its_slot(rig):
    gate, began = threading.Event(), threading.Semaphore(0)

    def stuck() -> str:
        began.release()
        gate.wait()
        return "too late"

    rig.runner.start(job := rig.job(stuck, timeout=60, retry=TWICE))
    await rig.cut(job, began)
    outcome = await rig.outcome(job)
    assert isinstance(error_of(job, outcome), StepTimedOut)
    assert outcome.delay == 1
    assert list(rig.runner.abandoned.values()) == [job]
    assert rig.runner.free("thread") == 2
    # The next attempt has the same key and may run beside the thread of the first one.
    rig.runner.start(again := rig.job(stuck, timeout=60))
    assert again.key not in rig.runner.abandoned
    await rig.cut(again, began)
    await rig.outcome(again)
    assert list(rig.runner.abandoned.values()) == [job, again]
    gate.set()
    while rig.runner.abandoned:
        await asyncio.sleep(0.001)
    assert rig.runner.free("thread") == 3


async def test_total_timeout_cuts_the_attempt_and_is_final(rig):
    options = {"timeout": 60, "total_timeout": 10, "retry": TWICE}
    rig.runner.start(job := rig.job(forever, asked=10 - SOON, **options))
    outcome = await rig.outcome(job)
    message = "step 'forever' took longer than 10 s in all (total_timeout=10)"
    assert error_of(job, outcome).message == message
    assert outcome.delay is None


async def test_the_nearer_of_two_limits_cuts(rig):
    rig.runner.start(job := rig.job(forever, timeout=SOON, total_timeout=60))
    assert "(timeout=0.02)" in error_of(job, await rig.outcome(job)).message


async def test_no_retry_that_would_begin_after_the_total(rig):
    async def fail() -> None:
        raise ValueError("the cause")

    retry = Retry(attempts=9, initial=5, jitter=0)
    assert (await rig.run(fail, retry=retry, asked=4, total_timeout=10)).delay == 5
    last = await rig.run(fail, retry=retry, asked=6, total_timeout=10)
    assert last.delay is None
    assert failures.decode(last.error).message == "the cause"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queue_timeout": 5}, "step 'quick' waited longer than 5 s to start (queue_timeout=5)"),
        ({"total_timeout": 5}, "step 'quick' took longer than 5 s in all (total_timeout=5)"),
    ],
)
async def test_an_overdue_job_fails_without_running_or_a_slot(make_rig, options, message):
    rig = make_rig(slots={"async": 0, "thread": 0})
    rig.runner.start(job := rig.job(quick, asked=5, retry=TWICE, **options))
    assert rig.ended.empty()
    assert job.key in rig.runner.running
    outcome = await rig.outcome(job)
    assert error_of(job, outcome).message == message
    assert outcome.delay is None
    assert not rig.runner.running


async def test_a_waiting_job_expires_when_its_keeper_says_so(make_rig):
    rig = make_rig(slots={"async": 0, "thread": 0})
    rig.runner.expire(job := rig.job(quick, queue_timeout=5, retry=TWICE))
    outcome = await rig.outcome(job)
    assert "queue_timeout=5" in error_of(job, outcome).message
    assert outcome.delay is None
    with pytest.raises(ValueError, match="neither"):
        rig.runner.expire(rig.job(quick))


async def test_an_expiring_job_can_be_cancelled(rig):
    rig.runner.start(job := rig.job(quick, asked=5, queue_timeout=5))
    rig.runner.cancel(job.key)
    await rig.run(quick)  # the first one is told to nobody: the fixture looks


async def test_queue_timeout_is_for_the_first_attempt_only(rig):
    assert isinstance(await rig.run(quick, attempt=2, first=5, asked=6, queue_timeout=5), Succeeded)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({}, None),
        ({"timeout": 30}, "timeout"),
        ({"total_timeout": 30}, "total_timeout"),
        ({"timeout": 30, "total_timeout": 36}, "timeout"),
        ({"timeout": 30, "total_timeout": 34}, "total_timeout"),
    ],
)
async def test_which_limit_ends_an_attempt(rig, options, option):
    job = rig.job(quick, asked=5, **options)
    limit = end_limit(job, job.asked_at + 5_000_000)
    assert (limit and limit.option) == option
    if limit:
        assert limit.at == job.asked_at + (limit.seconds + 5 * (option == "timeout")) * 1_000_000


async def test_until_when_a_job_may_wait(rig):
    at = {
        name: (queue_deadline(job) - job.asked_at) / 1e6 if queue_deadline(job) else None
        for name, job in {
            "free": rig.job(quick, timeout=1),
            "queue": rig.job(quick, queue_timeout=5, total_timeout=60),
            "total": rig.job(quick, queue_timeout=90, total_timeout=60),
            "later attempt": rig.job(quick, queue_timeout=5, total_timeout=60, first=1, attempt=2),
        }.items()
    }
    assert at == {"free": None, "queue": 5, "total": 60, "later attempt": 60}
