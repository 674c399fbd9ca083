"""`kill -9` of nodes: one, a second one while what the first held is being taken over, all at once."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

from tests.chaos.cluster import LEASE, Node
from tests.chaos.faults.fault import Fault


class Killed(Fault):
    """One node. It comes back on the same machine, so that its death is known at once, or as another one, elsewhere."""

    async def ready(self) -> bool:
        return await self.cluster.untried()

    async def begin(self) -> None:
        self._kill(self.node)

    async def heal(self) -> None:
        for node in self.cluster.nodes:
            node.away = False

    def _kill(self, node: Node) -> None:
        node.away = True
        self.hit.add(node.pid)
        node.signal(signal.SIGKILL)
        if self.dice.random() < 0.5:
            node.home = f"{node.home.partition(' ')[0]} {self.strike.number}"


class KilledInTakeover(Killed):
    """The second dies as soon as the first is dead by the database: its heirs are replaying."""

    async def begin(self) -> None:
        self._kill(self.node)
        self.work(self._follow())

    async def _follow(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(3 * LEASE):
                while self.node.pid in await self.cluster.alive():
                    await asyncio.sleep(0.02)
        await asyncio.sleep(self.dice.random() * 0.3)
        others = [node for node in self.cluster.nodes if node is not self.node and not node.away]
        if others:
            self.times += 1
            self._kill(self.dice.choice(others))

    async def heal(self) -> None:
        assert self._work is not None
        await asyncio.wait([self._work], timeout=3 * LEASE)
        await self.rest()
        await super().heal()


class KilledAll(Killed):
    """Every node, in the same moment."""

    async def begin(self) -> None:
        for node in self.cluster.nodes:
            self._kill(node)
