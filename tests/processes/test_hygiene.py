"""Nothing leaks: no process, no descriptor, in either direction, however the node ends."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from orquestrax.worker.processes.pool import ProcessPool
from tests.processes import bodies
from tests.processes.conftest import Rig, gone, told

PROJECT = Path(__file__).parents[2]


def open_files() -> int:
    """How much this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
async def test_a_child_inherits_one_socket_and_nothing_else(rig, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening, (tmp_path / "lock").open("w") as lock:
        os.set_inheritable(listening.fileno(), True)
        os.set_inheritable(lock.fileno(), True)
        opened = await rig.run(bodies.descriptors)
    assert len(opened) == 1, opened
    assert opened[0].startswith("socket:")


@pytest.mark.verify
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
async def test_two_hundred_steps_leak_nothing(make_rig, tmp_path):
    mine = psutil.Process()
    await use(make_rig(slots={"process": 2}), 2, tmp_path)  # what a loop opens once for all
    before, processes = open_files(), len(mine.children(recursive=True))
    await use(rig := make_rig(slots={"process": 2}), 200, tmp_path)
    gc.collect()
    async with asyncio.timeout(15):  # uvloop closes a moment later
        while open_files() != before:
            await asyncio.sleep(0.01)
    assert rig.runner.slots._free == {"process": 2}
    assert len(mine.children(recursive=True)) == processes


async def use(rig: Rig, times: int, folder: Path) -> None:
    """Run steps, some of which crash or hang; then stop."""
    for number in range(times):
        if number % 40 == 0:
            await rig.run(bodies.end, "SIGSEGV")
        elif number % 40 == 1:
            await rig.run(bodies.hang, str(folder), timeout=0.02)
        else:
            assert await rig.run(bodies.echo, number) == number
    assert len(rig.children) <= 3, "at most the warm ones, and one that is leaving"
    await rig.runner.stop(0)


async def test_a_child_is_replaced_after_its_last_job(rig):
    rig.pool._jobs = 3
    pids = [(await rig.run(bodies.whoami))[0] for _ in range(7)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


async def test_idle_children_end(make_rig, monkeypatch):
    rig = make_rig(slots={"process": 2})
    rig.pool._idle_for = 0.2
    (pid, *_) = await rig.run(bodies.whoami)
    await gone(pid)
    assert await rig.run(bodies.echo, 1) == 1, "another one comes when it is needed"


async def test_children_are_warm_before_they_are_asked_for(rig):
    rig.runner.warm([bodies.whoami, bodies.echo])
    async with asyncio.timeout(15):
        while len(rig.pool._idle) < 2:
            await asyncio.sleep(0.01)
    warm = {child.pid for child in rig.pool._idle}
    assert (await rig.run(bodies.whoami))[0] in warm


async def test_without_process_steps_there_is_no_process(rig):
    before = set(psutil.Process().children())
    rig.runner.warm([bodies.whoami.options(executor=None)])
    assert set(psutil.Process().children()) == before
    assert rig.pool._tasks == set()


async def test_the_guard_is_replaced_when_somebody_kills_it(rig, tmp_path):
    await rig.run(bodies.echo, 1)
    first = rig.pool._warden._guard
    first.kill()
    first.wait()
    await rig.run(bodies.end, "3")  # a group that ends, and another that begins
    await rig.run(bodies.echo, 1)
    second = rig.pool._warden._guard
    assert second.pid != first.pid
    assert second.poll() is None


def start_owner(folder: Path, step: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.processes.owner", str(folder), step],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("step", ["hang", "hold"])
async def test_a_killed_node_leaves_nothing_behind(tmp_path, step):
    """kill -9: neither the busy child nor the idle one, nor what a body had started, nor the guard."""
    with start_owner(tmp_path, step) as owner:
        names = ["child", "idle", "guard", *(["grandchild"] if step == "hang" else [])]
        pids = [await told(tmp_path, name) for name in names]
        assert all(psutil.pid_exists(pid) for pid in pids)
        owner.kill()
        owner.wait()
        await gone(*pids)


@pytest.mark.parametrize("runs", ["asyncio.run", "uvloop.run"])
async def test_a_program_that_does_not_stop_its_runner_ends_all_the_same(tmp_path, runs):
    code = f"""
import asyncio, uvloop
from tests.processes import bodies
from tests.processes.conftest import Rig

async def main():
    rig = Rig()
    bodies.note({str(tmp_path)!r}, "child", (await rig.run(bodies.whoami))[0])
    rig.start(bodies.hang, {str(tmp_path)!r})

{runs}(main())
"""
    with (tmp_path / "said").open("w") as said:
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, stdout=said, stderr=said, timeout=60, check=False
        )
    assert run.returncode == 0, (tmp_path / "said").read_text()
    await gone(await told(tmp_path, "child"))


async def test_the_guard_alone_suffices(tmp_path):
    """Elsewhere than on Linux nothing else kills a child that never listens: here a group that it is told of."""
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    spared = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", str(PROJECT / "src/orquestrax/worker/processes/guard.py")],
        stdin=subprocess.PIPE,
    )
    try:
        guard.communicate(
            f"+{victim.pid}\n+{spared.pid}\n-{spared.pid}\n+1\n+0\n+{spared.pid}".encode(), timeout=15
        )
        assert victim.wait(15) == -9
        assert spared.poll() is None, "withdrawn; and half a line says nothing"
        assert guard.returncode == 0
    finally:
        for process in (victim, spared):
            process.kill()
            process.wait()


async def test_a_pool_that_was_never_used_closes():
    pool = ProcessPool(2, lambda _attempt: None)
    await pool.close()
    assert pool._warden._guard is None
