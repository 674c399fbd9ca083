"""Children that are killed, crash, or hog memory: the attempt fails with a sentence, and the node goes on."""

from __future__ import annotations

import asyncio
import os
import signal

import psutil
import pytest

from orquestrax.model.jobs import Errored
from orquestrax.model.options import Retry
from tests.processes import bodies
from tests.processes.conftest import failed, gone, told

OTHERS = ["SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTERM", "SIGQUIT", "SIGXCPU"]


@pytest.mark.parametrize(
    "name", ["SIGSEGV", "SIGKILL", *(pytest.param(n, marks=pytest.mark.verify) for n in OTHERS)]
)
async def test_a_crash_is_a_failed_attempt_with_its_signal(rig, name):
    outcome = await rig.outcome(rig.start(bodies.end, name, retry=Retry(attempts=2)))
    failure = failed(outcome)
    assert failure.type == "ProcessCrashed"
    assert failure.message.startswith(f"the process of step 'end' was killed by {name}")
    assert ("ran out" in failure.message) == (name == "SIGKILL")
    assert outcome.delay > 0, "it is retried as any failure"
    assert await rig.run(bodies.echo, 1) == 1, "the pool heals"
    assert rig.runner.free("process") == 2


@pytest.fixture
def ignored():
    """As in the background of a shell."""
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGQUIT, before)


@pytest.mark.usefixtures("ignored")
async def test_what_the_node_ignores_does_not_make_its_processes_immune(rig):
    assert "was killed by SIGQUIT" in (await rig.run(bodies.end, "SIGQUIT")).message


@pytest.mark.parametrize("status", [0, 3])
async def test_a_process_that_exits_by_itself(rig, status):
    failure = await rig.run(bodies.end, str(status))
    assert failure.message == f"the process of step 'end' exited with status {status}, without a result"


async def test_a_body_that_closes_what_it_does_not_own_is_no_riddle(rig):
    failure = await rig.run(bodies.end, "closes")
    assert (
        failure.message == "the process of step 'end' closed its connection to the node: it had to be killed"
    )
    assert await rig.run(bodies.echo, 1) == 1


async def test_a_timeout_kills_the_child_and_what_it_started(rig, tmp_path):
    job = rig.start(bodies.hang, str(tmp_path), timeout=60, retry=Retry(attempts=2))
    child, grandchild = [await told(tmp_path, name) for name in ("child", "grandchild")]
    rig.cut(job)
    outcome = await rig.outcome(job)
    assert not psutil.pid_exists(child), "gone and buried before the outcome is told"
    await gone(grandchild)
    assert failed(outcome).message == "step 'hang' ran longer than 60 s (timeout=60)"
    assert outcome.delay > 0
    assert rig.runner.free("process") == 2


@pytest.mark.parametrize("body", [bodies.hold, bodies.backtracks])
async def test_a_timeout_kills_what_never_lets_python_run(rig, body, tmp_path):
    arguments = [str(tmp_path)] if body is bodies.hold else []
    failure = await rig.run(body, *arguments, timeout=0.5)
    assert failure.type == "StepTimedOut"
    assert await rig.run(bodies.echo, 1) == 1


async def test_a_cancel_kills(rig, tmp_path):
    job = rig.start(bodies.hang, str(tmp_path))
    child, grandchild = [await told(tmp_path, name) for name in ("child", "grandchild")]
    rig.runner.cancel(job.key)
    await gone(child, grandchild)
    assert await rig.run(bodies.echo, 1) == 1
    assert rig.runner.abandoned == {}


async def test_a_cancel_before_there_is_a_child(rig):
    job = rig.start(bodies.echo, 1)
    rig.runner.cancel(job.key)
    assert await rig.run(bodies.echo, 2) == 2
    assert rig.runner.free("process") == 2


async def test_a_stop_kills_what_does_not_end_in_time(rig, tmp_path):
    rig.start(bodies.hang, str(tmp_path))
    child, grandchild = [await told(tmp_path, name) for name in ("child", "grandchild")]
    await rig.runner.stop(0.05)
    assert not psutil.pid_exists(child)
    await gone(grandchild)


async def test_to_abandon_kills_at_once(rig, tmp_path):
    rig.start(bodies.hang, str(tmp_path))
    child, grandchild = [await told(tmp_path, name) for name in ("child", "grandchild")]
    rig.runner.abandon()
    assert not psutil.pid_exists(child)
    await gone(grandchild)


@pytest.mark.parametrize("rounds", [0, 1, 2])
async def test_to_abandon_leaves_nothing_that_has_yet_to_begin(rig, rounds):
    """Children that were sent for: none comes after the end, and no guard for them either."""
    rig.runner.warm([bodies.whoami])
    for _ in range(rounds):
        await asyncio.sleep(0)
    rig.runner.abandon()
    assert rig.children == []
    while rig.pool._tasks:
        await asyncio.wait(rig.pool._tasks)
        assert rig.children == []
    assert rig.pool._warden._guard is None
    assert (rig._begun == set()) == (rounds == 0)


async def test_what_a_body_leaves_behind_ends_with_its_child(make_rig, tmp_path):
    rig = make_rig(slots={"process": 1})
    assert await rig.run(bodies.leave_grandchild, str(tmp_path)) is None
    grandchild = await told(tmp_path, "grandchild")
    assert psutil.pid_exists(grandchild), "it may go on while its child lives"
    await rig.runner.stop(0)
    await gone(grandchild)


async def test_a_memory_hog_is_told_so_and_its_child_not_used_again(make_rig):
    rig = make_rig(slots={"process": 1})
    before = await rig.run(bodies.whoami)
    assert await rig.run(bodies.hog, 20) == 20_000_000
    assert await rig.run(bodies.whoami) == before
    outcome = await rig.outcome(rig.start(bodies.hog, 500, retry=Retry(attempts=2)))
    failure = failed(outcome)
    assert failure.type == "MemoryLimitExceeded"
    assert failure.message == "step 'hog' wanted more than 150 MB of memory (memory=150000000)"
    assert "in hog" in failure.cause.traceback
    assert outcome.delay > 0
    assert (await rig.run(bodies.whoami))[0] != before[0]


async def test_a_body_may_do_with_less(rig):
    assert await rig.run(bodies.catches, 500) == "went on with less"


async def test_the_limit_is_for_its_step_alone(make_rig):
    rig = make_rig(slots={"process": 1})
    assert await rig.run(bodies.hog, 20) == 20_000_000
    unlimited = bodies.hog.options(memory=None)
    assert await rig.run(unlimited, 500) == 500_000_000
    assert (await rig.run(bodies.hog.options(memory="60MB"), 100)).type == "MemoryLimitExceeded"


async def test_a_child_that_is_killed_while_idle_is_replaced(make_rig):
    rig = make_rig(slots={"process": 1})
    (pid, *_) = await rig.run(bodies.whoami)
    os.kill(pid, signal.SIGKILL)
    await gone(pid)
    assert (await rig.run(bodies.whoami))[0] != pid


async def test_a_system_that_starts_no_process_is_told_of(rig, monkeypatch):
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("orquestrax.worker.processes.offspring._popen", refuse)
    failure = await rig.run(bodies.whoami)
    assert failure.type == "ProcessCrashed"
    assert "the system starts no process for steps" in failure.message
    monkeypatch.undo()
    assert await rig.run(bodies.echo, 1) == 1


async def test_a_child_that_cannot_begin_is_told_of(rig, monkeypatch, capfd):
    monkeypatch.setattr("orquestrax.worker.processes.offspring._PROGRAM", "orquestrax.no_such_program")
    outcome = await rig.outcome(rig.start(bodies.whoami))
    assert isinstance(outcome, Errored)
    assert "exited with status 1 as it began" in failed(outcome).message
    assert "no_such_program" in capfd.readouterr().err
