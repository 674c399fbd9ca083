"""`progress`, `heartbeat` and `heartbeat_timeout`, in coroutines, threads and child processes."""

from __future__ import annotations

import asyncio
import time

import pytest

from orquestrax import heartbeat, progress, step, step_info
from orquestrax.base.errors import InvalidInput, PayloadError, PayloadTooLarge
from orquestrax.model.jobs import Succeeded
from orquestrax.model.options import Retry
from tests.processes import bodies
from tests.processes.conftest import failed


@step
async def tells_here(times: int) -> None:
    for number in range(times):
        progress(number + 1, times, f"row {number}")
        heartbeat({"row": number + 1})


@step
def tells_in_thread(times: int) -> None:
    for number in range(times):
        progress(number + 1, times, f"row {number}")
        heartbeat({"row": number + 1})


@step(heartbeat_timeout=0.3)
async def silent_here(beats: int) -> None:
    for number in range(beats):
        await asyncio.sleep(0.2)
        heartbeat(number)
    await asyncio.sleep(600)


@step(heartbeat_timeout=0.3)
def silent_in_thread(beats: int) -> None:
    for number in range(beats):
        time.sleep(0.2)
        progress(number)
    time.sleep(1)


@step
async def goes_on(until: int) -> list[int]:
    start = step_info().heartbeat or 0
    heartbeat(until)
    if until < 3:
        raise ValueError(until)
    return [start, step_info().heartbeat]


ALL = [tells_here, tells_in_thread, bodies.tells]


@pytest.mark.parametrize("told", ALL)
async def test_a_thousand_calls_are_one_row(rig, told):
    rig.runner.reports._every = 0.05
    job = rig.start(told, 1000)
    assert isinstance(await rig.outcome(job), Succeeded)
    await rig.runner.reports.close()
    assert len(rig.written) <= 4, "far fewer than were said"
    assert rig.deleted == [job.key]
    assert rig.runner.reports.known == {}


@pytest.mark.parametrize("told", ALL)
async def test_the_last_word_is_kept_for_a_next_attempt(rig, told):
    attempt = rig.runner._begin(rig.job(told, 5))
    rig.runner._attempts[attempt.job.key] = attempt
    rig.runner._launch(attempt, told.options.executor)
    await rig.outcome(attempt.job)
    pulse = attempt.pulse
    assert (pulse.done, pulse.total, pulse.note, pulse.details) == (5, 5, "row 4", b'{"row":5}')


async def test_what_is_written_is_the_latest(rig):
    rig.runner.reports._every = 0.05
    spoken, go_on = asyncio.Event(), asyncio.Event()

    @step
    async def speaks() -> None:
        progress(1, 4, "x" * 600)
        progress(2, 4, "half\0way")
        spoken.set()
        await go_on.wait()

    job = rig.start(speaks)
    await spoken.wait()
    async with asyncio.timeout(20):
        while not rig.written:
            await asyncio.sleep(0.01)
    said = rig.written[0]
    assert (said.instance, said.command, said.attempt) == (*job.key, 1)
    assert (said.done, said.total, said.note, said.details) == (2, 4, "halfway", None)
    assert rig.deleted == []
    go_on.set()
    await rig.outcome(job)
    await rig.runner.reports.close()
    assert rig.deleted == [job.key]


async def test_at_most_two_a_second_leave_the_process(make_rig, monkeypatch):
    rig = make_rig()
    assert rig.runner.reports._every == 0.5

    @step
    async def chatters() -> None:
        until = time.monotonic() + 0.9
        while time.monotonic() < until:
            heartbeat(1)
            await asyncio.sleep(0)

    await rig.run(chatters)
    assert len(rig.written) <= 2


@pytest.mark.parametrize("silent", [silent_here, silent_in_thread, bodies.falls_silent])
async def test_who_falls_silent_is_cut(rig, silent):
    began = time.monotonic()
    outcome = await rig.outcome(rig.start(silent, 3, retry=Retry(attempts=2)))
    patience = f"{silent.options.heartbeat_timeout:g}"
    assert failed(outcome).type == "StepTimedOut"
    assert failed(outcome).message == (
        f"step {silent.name!r} has not called heartbeat for {patience} s (heartbeat_timeout={patience})"
    )
    assert outcome.delay > 0
    assert time.monotonic() - began >= 0.6 + silent.options.heartbeat_timeout - 0.01, (
        "three beats kept it alive"
    )


async def test_who_speaks_in_time_is_left_alone(rig):
    @step(heartbeat_timeout=0.3)
    async def speaks() -> str:
        for _ in range(6):
            await asyncio.sleep(0.1)
            heartbeat()
        return "done"

    assert await rig.run(speaks) == "done"


async def test_the_next_attempt_goes_on_where_the_last_one_was(rig):
    key = rig.job(goes_on, 1).key
    for attempt in (1, 2):
        outcome = await rig.outcome(
            rig.start(goes_on, attempt, attempt=attempt, key=key, retry=Retry(attempts=9))
        )
        assert outcome.delay is not None
        assert rig.runner.reports.known == {key: str(attempt).encode()}
    assert await rig.run(goes_on, 3, attempt=3, key=key) == [2, 2], "it is the last of before, not its own"
    assert rig.runner.reports.known == {}


async def test_a_failing_store_harms_nobody(rig, monkeypatch):
    async def fails(_batch: object) -> None:
        raise OSError("no database")

    monkeypatch.setattr(rig.runner.reports, "_write", fails)
    rig.runner.reports._every = 0.01
    assert await rig.run(tells_here, 3) is None


async def test_a_cancelled_step_is_forgotten(rig):
    begun = asyncio.Event()

    @step
    async def waits() -> None:
        progress(1)
        begun.set()
        await asyncio.sleep(600)

    job = rig.start(waits)
    await begun.wait()
    await asyncio.sleep(0.01)
    rig.runner.cancel(job.key)
    await rig.runner.reports.close()
    assert rig.deleted == [job.key]


def test_outside_of_a_node_they_do_nothing():
    progress(1, 2)
    heartbeat({"a": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "much", None, 10**400])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(InvalidInput, match="is no number that a bar could show"):
        progress(value)


def test_details_are_a_place_and_not_data():
    with pytest.raises(PayloadTooLarge, match="10,000 are allowed"):
        heartbeat("x" * 10_000)
    with pytest.raises(PayloadError):
        heartbeat(object())
