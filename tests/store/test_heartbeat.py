"""The heartbeat, on a thread of its own, and what a node does when it hears that it was declared dead."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import orquestrax as ox
from orquestrax.cluster.heartbeat import Heartbeat
from orquestrax.core.store.batch import BatchWriter
from orquestrax.core.store.deaths import declare_dead
from orquestrax.node import EngineOptions, Node
from tests.store.support import Rig, running, until

OPTIONS = EngineOptions(poll=0.1, heartbeat=0.1)
EVERY = 0.05


class Beating:
    """A heartbeat and what it tells."""

    def __init__(self, rig: Rig, fence: int) -> None:
        self.fence, self.rig = fence, rig
        self.times: list[int] = []
        self.fenced = asyncio.Event()
        self.heart = Heartbeat(
            rig.address, fence, every=EVERY, on_beat=self.times.append, on_fenced=self.fenced.set
        )
        self.heart.start()

    async def counter(self) -> int:
        value: int = await self.rig.value("select heartbeat from {schema}.nodes where fence = $1", self.fence)
        return value

    def lives(self) -> bool:
        return self.heart._thread.is_alive()


async def test_I14_it_beats_while_the_loop_of_the_node_is_blocked(rig: Rig):
    beating = Beating(rig, (await rig.node()).number)
    await until(lambda: beating.times)
    before = await beating.counter()
    time.sleep(3)
    assert await beating.counter() > before + 10
    await beating.heart.stop()
    assert not beating.lives()


async def test_I14_the_mutant_on_the_nodes_own_loop_does_not(rig: Rig):
    fence = (await rig.node()).number

    async def beat() -> None:
        while True:
            await rig.database.fetch("heartbeat", fence, None)
            await asyncio.sleep(EVERY)

    counter = "select heartbeat from {schema}.nodes where fence = $1"
    beating = asyncio.create_task(beat())
    await until(lambda: rig.value(counter, fence))
    before = await rig.value(counter, fence)
    time.sleep(1)
    assert await rig.value(counter, fence) <= before + 1
    beating.cancel()


async def test_it_brings_the_time_of_the_database_to_the_nodes_loop(rig: Rig):
    told: list[tuple[int, int]] = []
    beating = Beating(rig, (await rig.node()).number)
    beating.heart._on_beat = lambda now: told.append((now, threading.get_ident()))
    await until(lambda: len(told) > 3)
    await beating.heart.stop()
    assert {thread for _, thread in told} == {threading.get_ident()}
    assert [now for now, _ in told] == sorted(now for now, _ in told)
    assert abs(told[-1][0] - await rig.value("select {schema}.now()")) < 5_000_000


async def test_I15_it_stops_and_says_so_when_its_node_was_declared_dead(rig: Rig):
    fence = await rig.node()
    beating = Beating(rig, fence.number)
    await until(lambda: beating.times)
    assert await declare_dead(rig.address, fence.space, fence.number, None)
    await asyncio.wait_for(beating.fenced.wait(), 20)
    await until(lambda: not beating.lives())


async def test_I23_it_goes_on_after_the_loss_of_its_connection(rig: Rig):
    beating = Beating(rig, (await rig.node()).number)
    await until(lambda: beating.times)
    await rig.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'orquestrax heartbeat' and datname = current_database()"
    )
    before = await beating.counter()
    await until(beating_again(beating, before))
    await beating.heart.stop()
    assert not beating.fenced.is_set()


def beating_again(beating: Beating, before: int) -> Any:
    async def again() -> bool:
        return await beating.counter() > before + 2

    return again


class Body:
    """A step whose runs the test counts and lets go."""

    def __init__(self) -> None:
        self.runs = 0
        self.go = asyncio.Event()

    def workflow(self) -> Any:
        @ox.step
        async def work() -> int:
            self.runs += 1
            run = self.runs
            if run == 1:
                await self.go.wait()
            return run

        @ox.workflow
        async def once() -> int:
            return await work()

        return once


async def come_back(node: Node, old: int) -> None:
    await until(lambda: node.incarnation is not None and node.incarnation.fence.number != old)


async def test_I4_I8_I15_a_node_declared_dead_comes_back_as_another_and_finishes_once(
    rig: Rig, tmp_path: Path
):
    body = Body()
    once = body.workflow()
    async with running(rig, tmp_path, once, options=OPTIONS) as (node, client):
        run = await client.start(once, id="one")
        await until(lambda: body.runs)
        old = node.incarnation
        assert await declare_dead(rig.address, old.fence.space, old.fence.number, None)
        await come_back(node, old.fence.number)
        assert old.orchestrator.memory.executions == {}, "its memory is gone"
        assert node.incarnation.fence.number > old.fence.number
        assert await run.result(20) == 2
        body.go.set()
        events = await run.history()
        assert [event.type for event in events] == ["started", "taken_over", "step_completed", "completed"]
        assert [event.seq for event in events] == [0, 1, 2, 3]
        assert events[1].data["dead"] == old.name
        assert body.runs == 2, "once more, for a recorded cause"


async def test_I1_I15_a_start_that_meets_the_declaration_is_not_lost(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whoever waits for the acknowledgement gets one from the next incarnation, or through the database."""
    body = Body()
    body.go.set()
    once = body.workflow()
    held, original = asyncio.Event(), BatchWriter.write

    async def holding(self: BatchWriter, writes: Any) -> Any:
        await held.wait()
        return await original(self, writes)

    async with running(rig, tmp_path, once, options=OPTIONS) as (node, client):
        monkeypatch.setattr(BatchWriter, "write", holding)
        starting = asyncio.create_task(client.start(once, id="one"))
        await until(lambda: node.incarnation.orchestrator.memory.executions)
        old = node.incarnation.fence
        assert await declare_dead(rig.address, old.space, old.number, None)
        held.set()
        run = await asyncio.wait_for(starting, 20)
        assert await run.result(20) == 1
    assert await rig.value("select count(*) from {schema}.instances") == 1


async def test_I14_a_clean_stop_hands_everything_over_at_once(rig: Rig, tmp_path: Path):
    body = Body()
    once = body.workflow()
    async with running(rig, tmp_path, once, options=OPTIONS) as (node, client):
        run = await client.start(once, id="one")
        await until(lambda: body.runs)
        fence = node.incarnation.fence.number
    row = await rig.row(run.key)
    assert (row["owner"], row["lane"], row["suspicion"]) == (None, 0, 0)
    assert row["wake_at"] is not None
    assert await rig.value("select status from {schema}.nodes where fence = $1", fence) == "stopped"
    async with running(rig, tmp_path, once, options=OPTIONS) as (_, client):
        assert await (await client.get("one", once)).result(20) == 2
