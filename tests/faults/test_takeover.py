"""Nodes as processes: killed, frozen, poisoned. The others observe it and go on."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.checker import check_instance
from tests.faults.cluster import PATIENCE, cluster

HELD = """
import asyncio
from pathlib import Path

import orquestrax as ox


@ox.step
async def first(name: str) -> str:
    with Path("first").open("a") as out:
        out.write(name + "\\n")
    while not Path("go").exists():
        await asyncio.sleep(0.02)
    return name


@ox.step
async def second(name: str) -> str:
    with Path("second").open("a") as out:
        out.write(name + "\\n")
    return name


@ox.workflow
async def held(name: str) -> str:
    return await second(await first(name))
"""


@pytest.mark.verify
@pytest.mark.timeout(180)
async def test_I8_I14_killed_elsewhere_it_is_taken_over_after_the_lease(tmp_path: Path, dsn: str) -> None:
    """Homes of their own, as on machines of their own: only the heartbeats tell."""
    async with cluster(tmp_path, dsn, "killed", HELD) as (nodes, workflows):
        victim = await nodes.start("a")
        run = await nodes.client.start(workflows["held"], "x", id="x")
        await nodes.until_line("first")
        successor = await nodes.start("b")
        victim.kill()
        await nodes.until_line("first", times=2)
        (tmp_path / "go").touch()
        assert await run.result(PATIENCE) == "x"
        await check_instance(nodes.client, workflows["held"], "x")
        known = await nodes.nodes()
        dead, heir = known[victim.fence], known[successor.fence]
        assert (dead.status, dead.cause, dead.declared_by, dead.freed) == ("dead", "silent", heir.fence, 1)
        (told,) = [each.data for each in await run.history() if each.type == "taken_over"]
        assert (told["dead"], told["node"]) == (dead.name, heir.name)
        assert told["after"] >= nodes.lease - nodes.heartbeat - 0.1, "not a moment before the lease"
        (takeover,) = await nodes.client.store.takeovers([victim.fence])
        assert (takeover.node, takeover.instances) == (heir.fence, 1)
        assert Counter(nodes.lines("first")) == {"x": 2}, "once more, for a recorded cause"
        assert len(nodes.lines("second")) == 1


@pytest.mark.verify
@pytest.mark.timeout(180)
async def test_I14_killed_on_the_same_machine_it_is_taken_over_at_once(tmp_path: Path, dsn: str) -> None:
    """By a node that runs: the lease, which is an hour, need not end."""
    async with cluster(tmp_path, dsn, "gone", HELD) as (nodes, workflows):
        victim = await nodes.start("home", lease=3600)
        run = await nodes.client.start(workflows["held"], "x", id="x")
        await nodes.until_line("first")
        successor = await nodes.start("home", lease=3600)
        victim.kill()
        await nodes.until_line("first", times=2)
        (tmp_path / "go").touch()
        assert await run.result(PATIENCE) == "x"
        dead = (await nodes.nodes())[victim.fence]
        assert (dead.status, dead.cause, dead.declared_by) == ("dead", "gone", successor.fence)
        assert not list((tmp_path / "home" / "run").rglob(f"{victim.fence}.lock"))


@pytest.mark.verify
@pytest.mark.timeout(180)
async def test_I4_I15_a_thawed_zombie_writes_nothing_and_comes_back_as_another(
    tmp_path: Path, dsn: str
) -> None:
    async with cluster(tmp_path, dsn, "frozen", HELD) as (nodes, workflows):
        zombie = await nodes.start("a")
        run = await nodes.client.start(workflows["held"], "x", id="x")
        await nodes.until_line("first")
        heir = await nodes.start("b")
        zombie.freeze()
        (tmp_path / "go").touch()  # its body would end at once when it thaws
        assert await run.result(PATIENCE) == "x"
        before = await nodes.client.history("x")
        assert Counter(nodes.lines("second")) == {"x": 1}
        zombie.thaw()
        back = await nodes.until_back(zombie)
        assert back.fence > heir.fence, "another incarnation, in the same process"
        assert zombie.process.poll() is None
        assert await nodes.client.history("x") == before, "the zombie wrote nothing"
        assert Counter(nodes.lines("second")) == {"x": 1}, "nor did it begin a body"
        await check_instance(nodes.client, workflows["held"], "x")
        dead = (await nodes.nodes())[zombie.fence]
        assert (dead.status, dead.cause) == ("dead", "silent")
        heir.kill()
        again = await nodes.client.start(workflows["held"], "y", id="y")
        assert await again.result(PATIENCE) == "y", "it works"


POISON = """
import asyncio
import os
from pathlib import Path

import orquestrax as ox


@ox.step
async def die(name: str) -> None:
    with Path("deaths").open("a") as out:
        out.write(name + "\\n")
    while not Path("go").exists():
        await asyncio.sleep(0.02)
    {how}


@ox.step
async def beat(name: str, n: int) -> int:
    with Path("beats").open("a") as out:
        out.write(f"{{name}} {{n}}\\n")
    await asyncio.sleep(0.2)
    return n


@ox.step
async def long(name: str) -> None:
    while not Path("done").exists():
        await asyncio.sleep(0.05)


@ox.workflow
async def culprit(name: str) -> None:
    await die(name)


@ox.workflow
async def lively(name: str) -> int:
    return sum([await beat(name, n) for n in range(30)])


@ox.workflow
async def patient(name: str) -> str:
    await long(name)
    return name
"""


@pytest.mark.verify
@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", ["os._exit(9)", "os.kill(os.getpid(), 11)"])
async def test_I18_poison_is_convicted_alone_and_its_neighbours_never(
    tmp_path: Path, dsn: str, how: str
) -> None:
    """One instance ends each node that runs it. Beside it some that make progress, and some that cannot."""
    async with cluster(tmp_path, dsn, "poison", POISON.format(how=how)) as (nodes, workflows):
        for _ in range(4):
            await nodes.start("home")
        start = nodes.client.start
        neighbours = [await start(workflows["lively"], f"l{n}", id=f"l{n}") for n in range(4)]
        neighbours += [await start(workflows["patient"], f"p{n}", id=f"p{n}") for n in range(4)]
        bad = await start(workflows["culprit"], "bad", id="bad")
        await nodes.until_line("deaths")
        (tmp_path / "go").touch()
        async with asyncio.timeout(150):
            while (status := await bad.status()).status != "blocked":
                await asyncio.sleep(0.1)
        assert len(nodes.lines("deaths")) <= 3, "after at most three nodes"
        message = str((status.blocked or {})["message"])
        assert "3 nodes in a row died while they ran it" in message
        (tmp_path / "done").touch()
        for run in neighbours:
            assert await run.result(PATIENCE) is not None
            assert run.id in ("l0", "l1", "l2", "l3", "p0", "p1", "p2", "p3")
        gone = [member for member in nodes.members if member.process.poll() is not None]
        assert len(gone) == 3
        await bad.cancel()
        async with asyncio.timeout(PATIENCE):
            while (await bad.status()).status != "cancelled":
                await asyncio.sleep(0.05)
