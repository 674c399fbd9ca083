"""A leader for the upkeep only: losing it stops nothing."""

from __future__ import annotations

import asyncio

import orquestrax as ox
from orquestrax.node import EngineOptions, Node
from tests.engine.conftest import Bench

QUICK = EngineOptions(poll=0.05, heartbeat=0.1, lease=1.0)


@ox.step
async def double(n: int) -> int:
    return 2 * n


@ox.workflow
async def doubles(n: int) -> int:
    return await double(n)


def leads(node: Node) -> bool:
    assert node.incarnation is not None
    return node.incarnation.leader.leads


async def the_leader(bench: Bench) -> Node:
    async with asyncio.timeout(20):
        while True:
            leading = [node for node in bench.nodes if node.incarnation is not None and leads(node)]
            if leading:
                (leader,) = leading
                return leader
            await asyncio.sleep(0.01)


async def test_the_loss_of_the_leader_stops_nothing_and_another_one_follows(bench: Bench) -> None:
    for _ in range(2):
        await bench.node(doubles, options=QUICK)
    outsider = await bench.node()
    leader = await the_leader(bench)
    fence = leader.fence
    await bench.crash(bench.nodes.index(leader))
    assert await (await outsider.start(doubles, 4)).result(20) == 8, "while nobody leads"
    follower = await the_leader(bench)
    assert follower.fence != fence
    (row,) = await bench.query("select fence, term from {schema}.leader")
    assert (row["fence"], row["term"]) == (follower.fence, 2)
