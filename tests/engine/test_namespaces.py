"""Two namespaces in one database do not see each other: nodes, instances, hints, locks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.core.store.database import Database, connect
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.migrate import migrate
from tests.engine.conftest import Bench
from tests.engine.until import until_status


@ox.workflow
async def waits(who: str) -> str:
    return f"{who} got {await ox.receive('word', str)}"


@pytest.fixture
async def other(bench: Bench, tmp_path: Path):
    """Another namespace in the same database, with nodes in the same home."""
    made = Bench(bench.dsn, tmp_path, f"{bench.namespace}_other")
    await migrate(made.address)
    yield made
    for node in reversed(made.nodes):
        await node.stop(grace=0)
    await made.query("drop schema {schema} cascade")


async def test_the_same_id_is_another_instance(bench: Bench, other: Bench) -> None:
    here, there = await bench.node(waits), await other.node(waits)
    ours, theirs = await here.start(waits, "we", id="same"), await there.start(waits, "they", id="same")
    for run in (ours, theirs):
        await until_status(run, "waiting")
    await ours.pause()
    await until_status(ours, "paused")
    await theirs.signal("word", "yes")
    assert await theirs.result(20) == "they got yes"
    assert (await ours.status()).status == "paused"
    await ours.terminate()
    with pytest.raises(ox.WorkflowTerminated):
        await ours.result(20)
    assert len(await here.list()) == len(await there.list()) == 1


async def test_nodes_of_another_namespace_are_neither_seen_nor_buried_nor_drained(
    bench: Bench, other: Bench
) -> None:
    here, there = await bench.node(waits), await other.node(waits)
    ours, theirs = bench.nodes[0], other.nodes[0]
    assert [node.name for node in await here.store.nodes()] == [ours.name]
    assert [node.name for node in await there.store.nodes()] == [theirs.name]
    assert ours.fence == theirs.fence == 1, "numbers are a namespace's own"
    await here.store.drain([1])
    async with asyncio.timeout(20):
        await ours.drained.wait()
    await bench.node(waits)
    assert [node.status for node in await there.store.nodes()] == ["alive"]


async def test_the_fence_of_one_number_is_two_locks(bench: Bench, other: Bench) -> None:
    fences = []
    for address in (bench.address, other.address):
        database = Database(address)
        await database.open()
        fences.append(Fence(await database.lock_space(), 1))
        await database.close()
    first, second = await connect(bench.address), await connect(other.address)
    try:
        await fences[0].begin_exclusive(first)
        await fences[1].begin_exclusive(second, patience=0.5)
    finally:
        first.terminate()
        second.terminate()


async def test_hints_stay_in_their_namespace(bench: Bench, other: Bench) -> None:
    heard, called = list[str](), asyncio.Event()
    listening, here, there = Hints(bench.address), Hints(replace(bench.address)), Hints(other.address)
    listening.listen("work", lambda payload: (heard.append(payload), called.set()))
    for hints in (listening, here, there):
        hints.start()
    async with asyncio.timeout(20):
        await called.wait()  # whoever subscribes is called once
        called.clear()
        heard.clear()
        there.work()
        while there._channels:
            await asyncio.sleep(0.01)
        here.work()
        await called.wait()
    for hints in (listening, here, there):
        await hints.stop()
    assert heard == [""]
