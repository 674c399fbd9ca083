"""A node is told to end, as in a rolling deploy, and another one takes its place."""

from __future__ import annotations

import asyncio

from tests.chaos.cluster import PATIENCE
from tests.chaos.faults.fault import Fault


class Drained(Fault):
    """SIGTERM: it hands over what it has, and ends with status 0."""

    async def ready(self) -> bool:
        return await self.cluster.serving(self.node)  # before that there is nothing to hand over

    async def begin(self) -> None:
        self.node.away = True
        self.hit.add(self.node.pid)
        self.work(self._drain())

    async def _drain(self) -> None:
        status = await self.cluster.drain(self.node)
        if status != 0 and not self.node.killed:
            self.complaints.append(f"node {self.node.number} ended with status {status} when told to drain")
        self.over.set()

    async def heal(self) -> None:
        assert self._work is not None
        await asyncio.wait([self._work], timeout=PATIENCE)
        if not self._work.done():
            self.complaints.append(f"node {self.node.number} does not end when told to drain")
        await self.rest()
        self.node.away = False
