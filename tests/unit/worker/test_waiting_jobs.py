"""The dispatcher over a real runner: what waits for a slot starts whenever one frees, however it frees."""

from __future__ import annotations

import asyncio
import threading

import pytest

from orquestrax.base.clock import DatabaseClock
from orquestrax.core.dispatcher import Dispatcher
from orquestrax.model.jobs import Succeeded


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


async def test_a_job_starts_when_a_cancelled_body_has_ended(crowded):
    async def forever() -> None:
        await asyncio.Event().wait()

    crowded.dispatcher.dispatch(first := crowded.job(forever))
    crowded.dispatcher.dispatch(waiting := crowded.job(quick))
    await asyncio.sleep(0)
    crowded.dispatcher.cancel(*first.key, "async")
    assert isinstance(await crowded.outcome(waiting), Succeeded)


async def test_a_job_starts_when_an_abandoned_thread_has_ended(crowded):
    gate = threading.Event()

    def stuck() -> None:
        gate.wait()

    crowded.dispatcher.dispatch(first := crowded.job(stuck, timeout=0.02))
    crowded.dispatcher.dispatch(waiting := crowded.job(quick_in_thread))
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
