"""Worker nodes as processes of their own, killed and frozen in the middle of the steps that they have taken."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from orquestrax.model import events
from tests.checker import check_instance
from tests.faults.cluster import PATIENCE, cluster

FLOWS = """
import asyncio
import time
from pathlib import Path

import orquestrax as ox


def left(name: str, n: int) -> None:
    with Path(name).open("a") as out:
        out.write(f"{n}\\n")


@ox.step(queue="far", executor="process")
def crunch(n: int) -> int:
    left("begun", n)
    while not Path("go").exists():
        time.sleep(0.02)
    left("ended", n)
    return n * n


@ox.step
async def near(n: int) -> int:
    return n + 1


@ox.workflow
async def crunches(width: int) -> int:
    return await near(sum(await asyncio.gather(*(crunch(n) for n in range(width)))))
"""
WORKER = ("--roles", "worker", "--queues", "far", "--processes", "2")
ENGINE = ("--roles", "engine,worker", "--queues", "default")


@pytest.mark.verify
@pytest.mark.timeout(180)
async def test_I8_I16_a_worker_is_killed_in_the_middle_and_another_goes_on(tmp_path: Path, dsn: str) -> None:
    """On the same machine: its record lock says at once that it is dead."""
    async with cluster(tmp_path, dsn, "kill_worker", FLOWS) as (nodes, workflows):
        await nodes.start("home", roles=ENGINE)
        victim = await nodes.start("home", roles=WORKER)
        run = await nodes.client.start(workflows["crunches"], 8, id="c")
        await nodes.until_line("begun", 2)
        victim.kill()
        heir = await nodes.start("home", roles=WORKER)
        await nodes.until_line("begun", 4)
        (tmp_path / "go").touch()
        assert await run.result(PATIENCE) == sum(n * n for n in range(8)) + 1
        history = await check_instance(nodes.client, workflows["crunches"], "c")
        done = [
            events.decode(e) for e in history if e.type == events.STEP_COMPLETED and b"near" not in _raw(e)
        ]
        names = {fence: node.name for fence, node in (await nodes.nodes()).items()}
        assert {ended.node for ended in done} == {names[heir.fence]}
        assert {ended.attempt for ended in done} == {1}, "a lost node is never counted"
        again = Counter(nodes.lines("begun"))
        assert sum(times - 1 for times in again.values()) <= 2, "none but those that the dead one had begun"
        assert await nodes.client.queues() != []
        assert all(queue.waiting == queue.running == 0 for queue in await nodes.client.queues())


@pytest.mark.verify
@pytest.mark.timeout(240)
async def test_I4_I16_a_worker_that_was_frozen_past_its_lease_is_not_heard(tmp_path: Path, dsn: str) -> None:
    """Homes of their own: only the heartbeats tell. Thawed, it drops what it had, and takes new steps.

    Its children are not frozen: what they come to waits for it, and the steps are open when it reads that.
    """
    async with cluster(tmp_path, dsn, "freeze_worker", FLOWS) as (nodes, workflows):
        await nodes.start("a", roles=ENGINE)
        frozen = await nodes.start("b", roles=WORKER)
        run = await nodes.client.start(workflows["crunches"], 6, id="f")
        await nodes.until_line("begun", 2)
        frozen.freeze()
        await nodes.until_dead(frozen)
        go = tmp_path / "go"
        go.touch()
        await nodes.until_line("ended", 2)
        go.unlink()
        heir = await nodes.start("c", roles=WORKER)
        await nodes.until_line("begun", 4)
        frozen.thaw()
        back = await nodes.until_back(frozen)
        await nodes.until_line("begun", 6)
        go.touch()
        assert await run.result(PATIENCE) == sum(n * n for n in range(6)) + 1
        history = await check_instance(nodes.client, workflows["crunches"], "f")
        names = {fence: node.name for fence, node in (await nodes.nodes()).items()}
        done = [events.decode(e).node for e in history if e.type == events.STEP_COMPLETED]
        assert {names[heir.fence], back.name} <= set(done)
        assert names[frozen.fence] not in done, "what it had begun ended after it was declared dead"
        assert len(nodes.lines("begun")) == 6 + 2, "only what it had begun was begun again"


def _raw(event: events.Event) -> bytes:
    return event.data if isinstance(event.data, bytes) else event.data.encode()
