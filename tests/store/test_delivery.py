"""From the inbox into the history: each message once, whoever sends it again, and the end lists what nobody took."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import orquestrax as ox
from orquestrax.client.client import Client
from orquestrax.core.store.deaths import declare_dead
from orquestrax.core.store.hints import Hints
from orquestrax.node import EngineOptions, Node
from tests.checker import check_instance
from tests.store.proxy import Proxy, at_commit
from tests.store.support import Rig, order, running, until

OPTIONS = EngineOptions(poll=0.05, heartbeat=0.1)
go: dict[str, asyncio.Event] = {}


@ox.step
async def wait_for_go(name: str = "") -> str:
    await go[name].wait()
    return "gone"


@ox.workflow
async def collect(n: int) -> list[Any]:
    """The first n signals."""
    return [await ox.receive("s", int) for _ in range(n)]


@ox.workflow
async def one_then_work() -> int:
    first: int = await ox.receive("s", int)
    await wait_for_go()
    return first


@ox.workflow
async def work_then_one(name: str) -> int:
    await wait_for_go(name)
    return await ox.receive("s", int)


@ox.workflow
async def only_work(name: str) -> str:
    return await wait_for_go(name)


@pytest.fixture(autouse=True)
async def _own_events() -> None:
    go.update({name: asyncio.Event() for name in ("", "first", "second")})


async def signals(client: Client, id_: str) -> list[str]:
    """The senders' ids of the signals in a history."""
    return [e.data["message"] for e in await client.history(id_) if e.type == "signal_received"]


async def ending(client: Client, id_: str) -> dict[str, Any]:
    """The data of the terminal event."""
    return (await client.history(id_))[-1].data


async def test_I10_a_message_sent_again_is_in_the_history_once(rig: Rig, tmp_path: Path):
    """Before it was read, after it was read, and after another node has taken over."""
    async with running(rig, tmp_path, collect, options=OPTIONS) as (node, client):
        run = await client.start(collect, 3, id="one")
        for _ in range(3):
            await run.signal("s", 1, message_id="first")
        await read_all(rig, run)
        for _ in range(2):
            await run.signal("s", 1, message_id="first")
        await run.signal("s", 2, message_id="second")
        await read_all(rig, run)
        await die(rig, node)
        await run.signal("s", 1, message_id="first")
        await run.signal("s", 2, message_id="second")
        await run.signal("s", 3, message_id="third")
        assert await run.result(20) == [1, 2, 3]
        assert await signals(client, "one") == ["first", "second", "third"]
        assert "unhandled" not in await ending(client, "one")
        await check_instance(client, collect, "one")


async def test_I11_an_end_that_meets_mail_lists_it_and_no_more(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What was handled is not unhandled because its sender has sent it again."""
    async with running(rig, tmp_path, one_then_work, options=OPTIONS) as (node, client):
        run = await client.start(one_then_work, id="one")
        await run.signal("s", 7, message_id="handled")
        await until(lambda: signals(client, "one"))
        await deafen(node, monkeypatch)
        await run.signal("s", 7, message_id="handled")
        await run.signal("s", 8, message_id="late")
        await run.signal("s", 8, message_id="late")
        go[""].set()
        assert await run.result(20) == 7
        assert [m["message"] for m in (await ending(client, "one"))["unhandled"]] == ["late"]
        assert await rig.client.inbox(run.key) == []
        with pytest.raises(ox.InstanceEnded):
            await run.signal("s", 9)
        await check_instance(client, one_then_work, "one")


async def test_I11_a_terminated_instance_lists_what_nobody_took_and_no_more(rig: Rig, tmp_path: Path):
    """Without an owner, and so without running its code."""
    async with running(rig, tmp_path, collect, options=EngineOptions(poll=0.05, park_after=0)) as (_, client):
        run = await client.start(collect, 9, id="one")
        await run.signal("s", 1, message_id="handled")
        await until(lambda: signals(client, "one"))
        await until(lambda: is_parked(rig, run))
    remote = Client(rig.client, Hints(rig.address))
    run = await remote.get("one")
    for message in ("handled", "late", "late"):
        await run.signal("s", 1, message_id=message)
    await run.terminate("enough")
    async with running(rig, tmp_path, collect, options=OPTIONS) as (_, client):
        with pytest.raises(ox.WorkflowTerminated):
            await run.result(20)
        data = await ending(client, "one")
        assert data["reason"] == "enough"
        assert [m["message"] for m in data["unhandled"]] == ["late"]


async def test_I10_I11_signals_from_many_senders_race_with_the_end(rig: Rig, tmp_path: Path):
    """Each is refused, in the history, or listed as unhandled; each sender's in the order sent."""
    told: dict[str, list[str]] = {}
    async with running(rig, tmp_path, collect, options=OPTIONS) as (_, client):
        remote = Client(rig.client, await rig.hints())
        for round_ in range(6):
            run = await remote.start(collect, 30, id=f"i-{round_}")
            senders = [f"a{n}" for n in range(6)]
            taken = await asyncio.gather(*(keep_sending(run, name, 12) for name in senders))
            told[run.id] = [message for messages in taken for message in messages]
            assert len(await run.result(20)) == 30
            stored = await signals(client, run.id)
            left = [m["message"] for m in (await ending(client, run.id)).get("unhandled", [])]
            assert sorted(stored + left) == sorted(told[run.id])
            for name in senders:
                mine = [m for m in stored + left if m.startswith(name + ".")]
                assert mine == sorted(mine, key=lambda m: int(m.rpartition(".")[2]))


async def test_I3_I11_an_end_that_waits_behind_a_park_is_written_once(
    rig: Rig, tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    """The park meets mail and is told so while the end is on its way: a second end would leave out its events."""
    monkeypatch.setattr(Hints, "node", lambda *_: None)
    options = EngineOptions(poll=600, heartbeat=600, lease=6000, lanes=1)
    served = (only_work, work_then_one)
    async with running(rig, tmp_path, *served, options=options, address=proxy.address) as (node, client):
        busy, run = await client.start(only_work, "first"), await client.start(work_then_one, "second")
        execution = node.incarnation.orchestrator.memory.executions[run.key]
        commit = proxy.fault(at_commit("wait", on=b"journal"))
        go["first"].set()  # the journal is busy with its end
        await commit.struck.wait()
        go["second"].set()  # then comes the park, behind it
        await until(lambda: execution.releasing)
        await rig.client.send([order(run.key, name="s", payload=b"7")])
        node.incarnation.claimer.look_for_mail()
        await until(lambda: execution.ended)  # and the end, behind the park
        await rig.client.send([order(run.key, name="s", message="late")])
        commit.released.set()
        assert await run.result(20) == 7
        assert await busy.result(20) == "gone"
        await check_instance(client, work_then_one, run.id)
        assert [m["message"] for m in (await ending(client, run.id))["unhandled"]] == ["late"]


async def keep_sending(run: Any, name: str, n: int) -> list[str]:
    """Send n signals, or fewer if the instance ends; returns those that were acknowledged."""
    acknowledged = []
    for k in range(n):
        try:
            await run.signal("s", k, message_id=f"{name}.{k}")
        except ox.InstanceEnded:
            break
        acknowledged.append(f"{name}.{k}")
    return acknowledged


async def read_all(rig: Rig, run: Any) -> None:
    async def empty() -> bool:
        return await rig.client.inbox(run.key) == []

    await until(empty)


async def is_parked(rig: Rig, run: Any) -> bool:
    return (await rig.row(run.key))["owner"] is None


async def die(rig: Rig, node: Node) -> None:
    """Declare the node dead, and wait until it has come back as another."""
    old = node.incarnation.fence
    assert await declare_dead(rig.address, old.space, old.number, None)
    await until(lambda: node.incarnation is not None and node.incarnation.fence.number != old.number)


async def deafen(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node reads its mail only when it has met some: no hints, no poll."""
    claimer = node.incarnation.claimer
    monkeypatch.setattr(Hints, "node", lambda *_: None)
    monkeypatch.setattr(claimer, "_poll", 600)
    claimer.look_for_mail()
    await asyncio.sleep(0.2)
