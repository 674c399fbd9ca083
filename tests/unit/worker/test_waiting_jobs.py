"""The dispatcher over a real runner: what waits for a slot starts whenever one frees, however it frees."""

from __future__ import annotations

import asyncio
import math
import threading

import msgspec
import pytest

from orquestrax.base.clock import DatabaseClock
from orquestrax.core.dispatcher import Dispatcher
from orquestrax.core.tempo import Tempo
from orquestrax.model.jobs import Errored, Succeeded


@pytest.fixture
async def crowded(make_rig):
    """A rig with one slot of each kind, and the dispatcher in front of it."""
    rig = make_rig(slots={"async": 1, "thread": 1})
    clock = DatabaseClock()
    clock.observe(rig.clock.now())
    rig.dispatcher = Dispatcher(
        rig.runner, clock, lambda job, outcome: rig.ended.put_nowait((job, outcome)) is None
    )
    rig.runner._on_end = rig.dispatcher.ended
    rig.runner._on_free = rig.dispatcher.freed
    return rig


async def quick() -> str:
    return "done"


def quick_in_thread() -> str:
    return "done"


async def test_a_job_waits_for_a_slot_and_gets_the_next_one(crowded):
    jobs = [crowded.job(quick) for _ in range(3)]
    for job in jobs:
        crowded.dispatcher.dispatch(job)
    assert crowded.dispatcher.backlog == 2
    for job in jobs:
        assert isinstance(await crowded.outcome(job), Succeeded)


async def test_I8_a_job_that_is_asked_for_anew_keeps_its_attempt_and_its_place(crowded):
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    crowded.dispatcher.dispatch(first := crowded.job(wait))
    further = crowded.job(quick, attempt=2, first=1.0)
    for job in (
        further,
        last := crowded.job(quick),
        msgspec.structs.replace(further, attempt=1, first_at=None),
    ):
        crowded.dispatcher.dispatch(job)
    assert crowded.dispatcher.backlog == 2
    gate.set()
    for job in (first, further, last):
        await crowded.outcome(job)


async def test_a_job_starts_when_a_cancelled_body_has_ended(crowded):
    async def forever() -> None:
        await asyncio.Event().wait()

    crowded.dispatcher.dispatch(first := crowded.job(forever))
    crowded.dispatcher.dispatch(waiting := crowded.job(quick))
    await asyncio.sleep(0)
    crowded.dispatcher.cancel(*first.key, "async")
    assert isinstance(await crowded.outcome(waiting), Succeeded)


async def test_a_job_starts_when_an_abandoned_thread_has_ended(crowded):
    gate, began = threading.Event(), threading.Semaphore(0)

    def stuck() -> None:
        began.release()
        gate.wait()

    crowded.dispatcher.dispatch(first := crowded.job(stuck, timeout=60))
    crowded.dispatcher.dispatch(waiting := crowded.job(quick_in_thread))
    await crowded.cut(first, began)
    await crowded.outcome(first)
    assert crowded.dispatcher.backlog == 1
    gate.set()
    assert isinstance(await crowded.outcome(waiting), Succeeded)


async def test_a_job_that_gets_no_slot_fails_in_time(crowded):
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    crowded.dispatcher.dispatch(first := crowded.job(wait))
    crowded.dispatcher.dispatch(waiting := crowded.job(quick, queue_timeout=0.02))
    outcome = await crowded.outcome(waiting)
    assert "queue_timeout=0.02" in waiting.step.rebuild_error(outcome.error).message
    gate.set()
    await crowded.outcome(first)


async def test_steps_that_wait_for_their_turn_do_not_keep_those_of_the_queue_from_theirs(crowded):
    dispatcher, gate = crowded.dispatcher, asyncio.Event()

    async def held() -> None:
        await gate.wait()

    for job in (first := crowded.job(held), own := crowded.job(quick)):
        dispatcher.dispatch(job)
    taken = msgspec.structs.replace(crowded.job(quick), claimed=True)
    dispatcher.dispatch(taken)
    assert (dispatcher.room("async"), dispatcher.room_for_claims("async")) == (-2, -1)
    dispatcher.dispatch(taken)
    assert dispatcher.room_for_claims("async") == -1, "it waits once"
    dispatcher.cancel(*own.key, "async")
    assert (dispatcher.room("async"), dispatcher.room_for_claims("async")) == (-1, -1)
    gate.set()
    for job in (first, taken):
        assert isinstance(await crowded.outcome(job), Succeeded)
    assert (dispatcher.room("async"), dispatcher.room_for_claims("async")) == (1, 1)


def test_how_soon_a_slot_is_free():
    tempo = Tempo()
    assert tempo.wait("async", 1, 8) == math.inf, "nothing is known"
    tempo.ended("async", Succeeded(b"", 1_000_000, 1_080_000))
    assert tempo.wait("async", 1, 8) == pytest.approx(0.01)
    assert tempo.wait("async", 30, 8) == pytest.approx(0.3)
    assert tempo.wait("thread", 1, 8) == math.inf
    assert tempo.wait("async", 1, 0) == math.inf
    for _ in range(100):
        tempo.ended("async", Errored(b"", 1_000_000, 1_000_000, None))
    assert tempo.wait("async", 100, 1000) == pytest.approx(0.02), "a body costs something, however short"
