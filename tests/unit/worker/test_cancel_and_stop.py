"""A step that the workflow no longer waits for, and a node that stops."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import subprocess
import sys
import textwrap
import threading

import pytest

from orquestrax.model.jobs import Succeeded
from orquestrax.worker.threads import Call


async def quick() -> str:
    return "done"


class Body:
    """Functions of a step that say when they have begun and how they ended, and wait for a gate."""

    def __init__(self):
        self.began, self.ended = threading.Event(), []
        self.gate = threading.Event()

    @property
    def until_cancelled(self):
        async def until_cancelled() -> None:
            self.began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.ended.append("cancelled")
                raise

        return until_cancelled

    @property
    def stubborn(self):
        async def stubborn() -> str:
            self.began.set()
            while not self.gate.is_set():
                try:
                    await asyncio.sleep(0.001)
                except asyncio.CancelledError:
                    self.ended.append("ignored")
            return "too late"

        return stubborn

    @property
    def in_thread(self):
        def in_thread() -> str:
            self.began.set()
            self.gate.wait()
            self.ended.append("thread")
            return "too late"

        return in_thread


async def begun(body):
    while not body.began.is_set():
        await asyncio.sleep(0.001)


async def ended(runner):
    while runner.abandoned:
        await asyncio.sleep(0.001)


async def test_a_cancelled_coroutine_is_told_to_nobody(rig):
    body = Body()
    rig.runner.start(job := rig.job(body.until_cancelled))
    await begun(body)
    rig.runner.cancel(job.key)
    assert not rig.runner.running
    assert rig.runner.free("async") == 9  # it may still be cleaning up
    await ended(rig.runner)
    assert body.ended == ["cancelled"]
    assert rig.runner.free("async") == 10
    assert rig.freed == ["async"]  # nothing else tells that another job may start


async def test_a_body_cancelled_before_its_first_step_never_runs(rig):
    body = Body()
    rig.runner.start(job := rig.job(body.until_cancelled))
    rig.runner.cancel(job.key)
    await ended(rig.runner)
    assert not body.began.is_set()
    assert rig.runner.free("async") == 10


async def test_a_cancelled_thread_holds_its_slot_until_it_ends(rig):
    body = Body()
    rig.runner.start(job := rig.job(body.in_thread))
    await begun(body)
    rig.runner.cancel(job.key)
    assert not rig.runner.running
    await rig.run(quick)
    assert list(rig.runner.abandoned.values()) == [job]
    assert rig.runner.free("thread") == 2
    assert rig.freed == []
    body.gate.set()
    await ended(rig.runner)
    assert rig.runner.free("thread") == 3
    assert rig.freed == ["thread"]


async def test_a_thread_cancelled_before_it_began_does_not_run_the_body(rig):
    body = Body()
    rig.runner.start(job := rig.job(body.in_thread))
    rig.runner.cancel(job.key)
    await ended(rig.runner)
    assert not body.began.is_set()
    assert rig.runner.free("thread") == 3


async def test_a_call_abandoned_on_its_way_to_a_thread_does_not_run():
    ran = []
    call = Call(lambda: ran.append(1), name="abandoned", context=contextvars.copy_context())
    call.result.cancel()
    assert call.run() is None
    assert ran == []


async def test_cancelling_what_has_ended_or_never_was_changes_nothing(rig):
    rig.runner.start(job := rig.job(quick))
    rig.runner.cancel(rig.job(quick).key)
    assert isinstance(await rig.outcome(job), Succeeded)
    rig.runner.cancel(job.key)
    assert rig.runner.free("async") == 10


async def test_cancel_between_the_end_of_a_body_and_its_telling(rig):
    """The task is done, its callback is still queued: the workflow went on without it all the same."""
    rig.runner.start(job := rig.job(quick))
    task = next(iter(rig.runner._attempts.values())).task
    task.add_done_callback(lambda _: None)
    while not task.done():
        await asyncio.sleep(0)
        if task.done() and job.key in rig.runner.running:
            rig.runner.cancel(job.key)
    await ended(rig.runner)
    if rig.ended.qsize():
        rig.ended.get_nowait()  # uvloop runs the callback in the same turn
    assert rig.runner.free("async") == 10


async def test_the_same_body_may_start_again_while_the_old_one_lingers(rig):
    body, again = Body(), Body()
    rig.runner.start(job := rig.job(body.in_thread))
    await begun(body)
    rig.runner.cancel(job.key)
    job.step.fn = again.in_thread
    rig.runner.start(job)
    await begun(again)
    body.gate.set()
    await ended(rig.runner)
    assert rig.runner.running[job.key] is job
    again.gate.set()
    assert isinstance(await rig.outcome(job), Succeeded)


async def test_stop_waits_for_bodies_and_tells_their_outcomes(rig):
    body = Body()
    rig.runner.start(job := rig.job(body.in_thread))
    await begun(body)
    stopping = asyncio.create_task(rig.runner.stop(20))
    await asyncio.sleep(0)
    assert (rig.runner.has_slot("async"), rig.runner.free("thread")) == (False, 0)
    with pytest.raises(RuntimeError, match="stopping"):
        rig.runner.start(rig.job(quick))
    assert not stopping.done()
    body.gate.set()
    await stopping
    assert isinstance(await rig.outcome(job), Succeeded)


async def test_stop_without_bodies_takes_no_time(rig):
    async with asyncio.timeout(20):
        await rig.runner.stop(3600)


async def test_after_the_grace_nothing_is_told(rig, caplog):
    bodies = [Body(), Body(), Body()]
    for fn in (bodies[0].until_cancelled, bodies[1].stubborn, bodies[2].in_thread):
        rig.runner.start(rig.job(fn))
    for body in bodies:
        await begun(body)
    with caplog.at_level(logging.WARNING):
        await rig.runner.stop(0.01)
    assert (bodies[0].ended, bodies[1].ended) == (["cancelled"], ["ignored"])
    assert not rig.runner.running
    assert [record.getMessage() for record in caplog.records] == [
        "left behind, its body does not end: stubborn#2@order-42",
        "left behind, its body does not end: in_thread#3@order-42",
    ]
    for body in bodies:
        body.gate.set()
    await ended(rig.runner)


async def test_idle_threads_end_with_the_runner(make_rig):
    rig = make_rig()
    workers = []

    def own_thread() -> None:
        workers.append(threading.current_thread())

    await rig.run(own_thread)
    await rig.runner.stop(0)
    workers[0].join(10)
    assert not workers[0].is_alive()


async def test_threads_are_reused_and_no_more_than_slots(make_rig):
    rig = make_rig(slots={"async": 1, "thread": 3})
    for _ in range(20):
        body = Body()
        body.gate.set()
        await rig.run(body.in_thread)
    assert rig.runner._threads._started == 1
    bodies = [Body() for _ in range(3)]
    jobs = [rig.job(body.in_thread) for body in bodies]
    for body, job in zip(bodies, jobs, strict=True):
        rig.runner.start(job)
        await begun(body)
    assert rig.runner._threads._started == 3
    for body, job in zip(bodies, jobs, strict=True):
        body.gate.set()
        assert isinstance(await rig.outcome(job), Succeeded)


def test_a_stuck_thread_keeps_no_process_alive():
    program = """
        import asyncio, contextvars, threading
        from orquestrax.worker.threads import Call, ThreadPool

        async def main():
            began = threading.Event()
            pool = ThreadPool("node-1")
            def body():
                began.set()
                threading.Event().wait()
            pool.submit(Call(body, name="stuck", context=contextvars.copy_context()))
            while not began.is_set():
                await asyncio.sleep(0.001)
            pool.close()

        asyncio.run(main())
        print("out")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("out\n", "")


def test_a_thread_that_ends_after_its_loop_is_gone_says_nothing():
    program = """
        import asyncio, contextvars, threading
        from orquestrax.worker.threads import Call, ThreadPool

        gate, began = threading.Event(), threading.Event()
        pool = ThreadPool("node-1")

        async def main():
            def body():
                began.set()
                gate.wait()
            pool.submit(Call(body, name="late", context=contextvars.copy_context()))
            began.wait()
            pool.close()

        asyncio.run(main())
        gate.set()
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stderr == ""
