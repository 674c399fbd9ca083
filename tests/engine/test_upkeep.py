"""Sweeps go on as long as a node is there, and outlive an error of the database."""

from __future__ import annotations

import asyncio

import msgspec

import orquestrax as ox
from orquestrax.base.errors import DatabaseUnreachable
from orquestrax.core.store.progress import ProgressStore
from orquestrax.node.upkeep import Upkeep
from tests.engine.conftest import QUICK, Bench


@ox.workflow
async def soon_over() -> None: ...


async def test_what_steps_leave_behind_is_swept_while_the_node_runs(bench: Bench) -> None:
    """As when a node dies in a step, and another ends the instance: nobody else knows of the row."""
    client = await bench.node(soon_over, options=msgspec.structs.replace(QUICK, upkeep=0.05))
    run = await client.start(soon_over)
    await run.result(20)
    await bench.query(
        "insert into {schema}.progress (instance, command, attempt, node, told_at) values ($1, 1, 1, 0, now())",
        run.key,
    )
    progress = ProgressStore(client.store.database)
    async with asyncio.timeout(20):
        while await progress.of([run.key]):
            await asyncio.sleep(0.02)


async def test_a_sweep_that_fails_is_made_again() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def fails() -> None:
        told.put_nowait("fails")
        raise DatabaseUnreachable("for a moment")

    async def sweeps() -> None:
        told.put_nowait("sweeps")

    upkeep = Upkeep([fails, sweeps], every=0.001)
    upkeep.start()
    async with asyncio.timeout(20):
        assert [await told.get() for _ in range(4)] == ["fails", "sweeps"] * 2
    await upkeep.stop()
    await Upkeep([], every=1).stop()


async def test_a_new_leader_begins_at_once_and_ends_with_its_lead() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    leading = False

    async def first() -> None:
        nonlocal leading
        leading = False  # it took so long that the lead was over
        told.put_nowait("first")

    async def second() -> None:
        told.put_nowait("second")

    upkeep = Upkeep([first, second], every=3600, leads=lambda: leading)
    upkeep.start()
    await asyncio.sleep(0)
    upkeep.wake()
    await asyncio.sleep(0)
    leading = True
    upkeep.wake()
    async with asyncio.timeout(20):
        assert await told.get() == "first"
    await upkeep.stop()
    assert told.empty()
    upkeep.wake()
