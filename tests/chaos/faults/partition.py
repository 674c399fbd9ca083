"""A partition: packets of one node are dropped without a word, in both directions or in one."""

from __future__ import annotations

import asyncio

from tests.chaos.faults.fault import Fault


class Partition(Fault):
    """Between the node and everything else: with one database there is nothing else."""

    async def begin(self) -> None:
        assert self.node.network is not None
        self.hit.add(self.node.pid)
        way = self.dice.choice(("both", "both", "deaf", "mute"))
        await asyncio.to_thread(self.node.network.cut, way)

    async def heal(self) -> None:
        assert self.node.network is not None
        await asyncio.to_thread(self.node.network.mend)
