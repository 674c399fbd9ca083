"""What is kept of a death and of the takeover, and the sweep that finds what nobody owns any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import orquestrax as ox
from orquestrax.core.store.deaths import declare_dead, sweep
from orquestrax.node import EngineOptions
from tests.store.proxy import Proxy
from tests.store.support import Rig, running, until

OPTIONS = EngineOptions(poll=0.1, heartbeat=1.0, lease=600.0)  # nothing but what a test wants ends a lease
BRIEF = EngineOptions(poll=0.1, heartbeat=0.1, lease=3.0)


async def test_the_row_of_the_dead_says_when_by_whom_and_what_was_freed(rig: Rig):
    fence, other = await rig.node(), await rig.node()
    for _ in range(3):
        await rig.owned(fence)
    death = await declare_dead(rig.address, fence.space, fence.number, 0, by=other.number, cause="silent")
    assert death is not None
    assert (death.instances, death.tasks, death.convicted) == (3, 0, [])
    dead = next(node for node in await rig.client.nodes() if node.fence == fence.number)
    assert (dead.status, dead.declared_by, dead.cause) == ("dead", other.number, "silent")
    assert (dead.freed, dead.freed_tasks) == (3, 0)
    assert dead.ended_at is not None
    assert dead.ended_at >= dead.seen_at


async def test_I23_the_sweep_frees_what_the_dead_still_hold(rig: Rig):
    dead, alive = await rig.node(), await rig.node()
    lost, kept, nobodys = await rig.owned(dead), await rig.owned(alive), await rig.owned(alive)
    await rig.rows("update {schema}.instances set owner = 999999 where key = $1", nobodys)
    await rig.rows("update {schema}.nodes set status = 'stopped' where fence = $1", dead.number)
    assert await sweep(rig.address, dead.space) == 2
    assert [(await rig.row(key))["owner"] for key in (lost, kept, nobodys)] == [None, alive.number, None]
    assert (await rig.row(lost))["suspicion"] == 0
    assert await sweep(rig.address, dead.space) == 0


class Work:
    """A workflow with one step that waits for the test, and counts."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.go = asyncio.Event()

    def workflow(self) -> Any:
        @ox.step
        async def first(name: str) -> None:
            self.began.append(name)
            await self.go.wait()

        @ox.step
        async def second(name: str) -> None:
            self.began.append(f"second of {name}")

        @ox.workflow
        async def held(name: str) -> str:
            await first(name)
            await second(name)
            return name

        return held


async def silence(rig: Rig, node: Any) -> int:
    """A node that is not heard of any more; returns its fence. Its process lives: it is this one."""
    fence: int = node.incarnation.fence.number
    node.incarnation.abandon()
    node._keeper.cancel()
    return fence


@pytest.mark.parametrize(("home", "suspicion"), [("elsewhere", 1), ("here", 0)])
async def test_I14_I18_another_node_observes_the_death_and_takes_over(
    rig: Rig, tmp_path: Path, home: str, suspicion: int
):
    """Whether its process lives is known of neighbours alone. If it does, nothing that ran there is to blame."""
    work = Work()
    held = work.workflow()
    async with running(rig, tmp_path / "here", held, options=OPTIONS) as (second, client):
        async with running(rig, tmp_path / home, held, options=BRIEF) as (first, near):
            await near.start(held, "a", id="a")
            await until(lambda: work.began == ["a"])
            name, fence = first.name, await silence(rig, first)
            await until(lambda: work.began == ["a", "a"])
            (row,) = await rig.rows("select suspicion from {schema}.instances")
            assert row["suspicion"] == suspicion
        work.go.set()
        run = await client.get("a", held)
        assert await run.result(20) == "a"
        told = [event.data for event in await run.history() if event.type == "taken_over"]
        assert [(each["dead"], each["node"]) for each in told] == [(name, second.name)]
        assert told[0]["after"] >= BRIEF.lease - BRIEF.heartbeat
        (dead,) = [node for node in await client.store.nodes() if node.fence == fence]
        assert (dead.status, dead.cause, dead.declared_by, dead.freed) == ("dead", "silent", second.fence, 1)
        (takeover,) = await client.store.takeovers([fence])
        assert (takeover.node, takeover.name, takeover.instances) == (second.fence, second.name, 1)
        assert takeover.last_at - takeover.lost_at >= (BRIEF.lease - BRIEF.heartbeat) * 1e6


async def test_I14_nodes_that_beat_are_never_taken_over(rig: Rig, tmp_path: Path):
    """While the database's clock jumps a day ahead and back."""
    quick = EngineOptions(poll=0.05, heartbeat=0.2, lease=5.0)
    held = Work().workflow()
    async with (
        running(rig, tmp_path / "a", held, options=quick) as (first, _),
        running(rig, tmp_path / "b", held, options=quick) as (second, _),
    ):
        fences = first.fence, second.fence
        for hours in (0, 24, 0):
            await rig.rows(
                "create or replace function {schema}.now() returns timestamptz language sql stable"
                f" parallel safe as $$ select clock_timestamp() + interval '{hours} hours' $$"
            )
            await asyncio.sleep(0.8)
        assert (first.fence, second.fence) == fences


async def test_I15_a_node_that_cannot_renew_starts_nothing_and_comes_back_as_another(
    rig: Rig, proxy: Proxy, tmp_path: Path
):
    """Cut off for longer than its lease: the step that waits for a slot is not begun by the old incarnation."""
    work = Work()
    held = work.workflow()
    whole = running(rig, tmp_path, held, options=BRIEF, address=proxy.address)
    async with whole as (node, client):
        run = await client.start(held, "x", id="x")
        await until(lambda: work.began)
        old = node.incarnation
        target, proxy.target = proxy.target, proxy.target.__class__(dsn="postgresql://127.0.0.1:1/none")
        proxy.cut_all()
        await until(lambda: not old.lease.allows())
        assert old.runner.free("async") == 0
        assert not old.runner.has_slot("async")
        work.go.set()
        await until(lambda: node.incarnation is not old)
        assert "could not renew its lease of 3 s" in old.why
        await until(lambda: not old.orchestrator.memory.executions)
        proxy.target = target
        await until(lambda: node.incarnation is not None)
        assert await (await client.get("x", held)).result(20) == "x"
        assert work.began == ["x", "x", "second of x"]
        dead = next(each for each in await rig.client.nodes() if each.fence == old.fence.number)
        assert (dead.status, dead.cause, dead.declared_by) == ("dead", "expired", node.fence)
        assert (await rig.row(run.key))["suspicion"] == 0, "its process lives"


async def test_I15_a_job_that_waits_for_the_lease_starts_with_the_next_heartbeat(rig: Rig, tmp_path: Path):
    work = Work()
    held = work.workflow()
    async with running(rig, tmp_path, held, options=OPTIONS) as (node, client):
        lease = node.incarnation.lease
        renew, lease.renew = lease.renew, lambda _sent: None
        lease._renewed = lease.clock() - lease.seconds + lease.margin
        run = await client.start(held, "late")
        await until(lambda: node.incarnation.orchestrator.dispatcher.backlog)
        assert work.began == []
        lease.renew = renew
        work.go.set()
        assert await run.result(20) == "late"


async def test_I18_a_suspect_runs_alone(rig: Rig, tmp_path: Path):
    """The second one waits in its lane as long as the first has not moved."""
    work = Work()
    held = work.workflow()
    async with running(rig, tmp_path, held, options=OPTIONS) as (node, client):
        await node.incarnation.claimer.stop()
        runs = [await rig.pending(f"s{n}", definition="held", input_=b'["s"]') for n in range(2)]
        await rig.rows("update {schema}.instances set lane = 2, suspicion = 2")
        node.incarnation.claimer._stopping = False
        node.incarnation.claimer.start()
        await until(lambda: len(work.began) == 1)
        assert node.incarnation.claimer.suspects
        for _ in range(5):
            await node.incarnation.claimer._take_suspect()
        assert len(work.began) == 1
        owners = [(await rig.row(key))["owner"] for key in runs]
        assert sorted(owners, key=str) == sorted([node.fence, None], key=str)
        work.go.set()
        for n in range(2):
            await (await client.get(f"s{n}", held)).result(20)
        assert not node.incarnation.claimer.suspects


async def test_I18_a_suspect_that_has_lived_for_a_minute_is_none(rig: Rig, tmp_path: Path):
    work = Work()
    held = work.workflow()
    key = await rig.pending("s", definition="held", input_=b'["s"]')
    await rig.rows("update {schema}.instances set lane = 0, suspicion = 1, wake_at = {schema}.now()")
    async with running(rig, tmp_path, held, options=OPTIONS) as (node, _):
        claimer = node.incarnation.claimer
        claimer.suspects._lives = 0.3
        await until(lambda: work.began)

        async def cleared() -> bool:
            return bool((await rig.row(key))["suspicion"] == 0)

        await until(cleared)
        assert not claimer.suspects
        work.go.set()


def test_I14_a_lease_is_three_heartbeats_at_least():
    with pytest.raises(ox.SettingsError, match="three heartbeats at least"):
        EngineOptions(heartbeat=4.0)


async def test_I15_what_steps_used_is_closed_before_the_node_comes_back_with_its_own(
    rig: Rig, tmp_path: Path
):
    opened: list[str] = []

    @ox.resource
    async def pool() -> AsyncIterator[int]:
        opened.append("open")
        yield 1
        opened.append("closed")

    @ox.step
    async def used(n: int = ox.use(pool)) -> int:
        return n

    @ox.workflow
    async def flow() -> int:
        return await used()

    async with running(rig, tmp_path, flow, options=OPTIONS) as (node, client):
        assert await (await client.start(flow)).result(20) == 1
        old = node.incarnation
        assert await declare_dead(rig.address, old.fence.space, old.fence.number, None)
        await until(lambda: opened == ["open", "closed"])
        await until(lambda: node.incarnation not in (None, old))
        assert await (await client.start(flow)).result(20) == 1
    assert opened == ["open", "closed"] * 2
