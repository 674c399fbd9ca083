"""What is parked is a row and nothing else: it costs a node no memory, however many there are."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Mapping

import orquestrax as ox
from orquestrax.model.rows import InstanceRow
from orquestrax.node import Node
from tests.engine.conftest import Bench
from tests.engine.until import until_status

NIGHT = 86_400
MANY, DUE = 20_000, 100
SLACK = 40_000  # bytes: two for each that is parked, where one in memory takes thousands
COPY = """
    insert into {schema}.instances
        (key, id, definition, version, status, lane, wake_at, started_at, digest, input, waits)
    select gen_random_uuid(), 'nap-' || n, definition, version, status, lane, wake_at, started_at, digest, input, waits
    from {schema}.instances, generate_series(1, $1::integer) as n where id = 'first'
"""
WAKE = """
    update {schema}.instances set wake_at = {schema}.now(), started_at = {schema}.now() - make_interval(secs => $1)
    where key in (select key from {schema}.instances where status = 'waiting' limit $2)
"""


@ox.workflow
async def nap(seconds: int) -> int:
    await asyncio.sleep(seconds)
    return seconds


async def looked(node: Node, rounds: int = 5) -> None:
    """Until the node has looked for what is due so many times more."""
    assert node.incarnation is not None
    store, done, left = node.incarnation.store, asyncio.Event(), rounds
    claim = store.claim

    async def counted(definitions: Mapping[str, str], room: Mapping[int, int]) -> list[InstanceRow]:
        nonlocal left
        rows = await claim(definitions, room)
        left -= 1
        if left <= 0:
            done.set()
        return rows

    store.claim = counted  # type: ignore[method-assign]
    async with asyncio.timeout(20):
        await done.wait()
    store.claim = claim  # type: ignore[method-assign]


async def test_I22_parked_instances_take_no_memory_of_a_node(bench: Bench):
    """Against the mutant that keeps a parked instance in memory, or anything for each."""
    client = await bench.node(nap)
    node = bench.nodes[0]
    assert node.incarnation is not None
    memory = node.incarnation.orchestrator.memory
    await until_status(await client.start(nap, NIGHT, id="first"), "waiting")
    async with asyncio.timeout(20):
        while memory.executions:
            await asyncio.sleep(0.01)
    await looked(node)
    tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        await bench.query(COPY, MANY)
        await looked(node)
        assert not memory.executions
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < SLACK
    await bench.query(WAKE, NIGHT, DUE)
    async with asyncio.timeout(20):
        while (await client.store.counts()).get("completed", 0) < DUE:
            await asyncio.sleep(0.05)
    async with asyncio.timeout(20):
        while memory.executions:
            await asyncio.sleep(0.01)
