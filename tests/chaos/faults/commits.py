"""Ambiguous commits: a connection is cut exactly at COMMIT, before or after the server has it, or it never answers."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.chaos.faults.fault import Fault
from tests.store import proxy
from tests.store.proxy import Proxy


class Commits(Fault):
    """One after the other, at any node or in front of the clients, whose single statements commit by themselves.

    A node that serves goes on. One that is still starting may end of it, and not know that it had been registered.
    """

    async def begin(self) -> None:
        self.times = 0
        self.work(self._cut())

    async def _cut(self) -> None:
        while True:
            node = self.dice.choice([*self.cluster.nodes, None])
            place = self.cluster.front if node is None else node.proxy
            if await self._cut_at(place) and node is not None and not node.serves:
                self.hit.add(node.pid)
            await asyncio.sleep(self.dice.random() * 0.3)

    async def _cut_at(self, place: Proxy) -> bool:
        """Returns whether there was something to cut."""
        if place is self.cluster.front:
            fault = proxy.at_execution(self.dice.choice(("before", "after")))
        else:
            fault = proxy.at_commit(self.dice.choice(("before", "after", "after", "hold", "swallow")))
        place.fault(fault)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await fault.struck.wait()
        finally:
            place.faults.remove(fault)
            self.times += fault.struck.is_set()
            # Held until the node has asked what became of it, or may have.
            asyncio.get_running_loop().call_later(self.dice.random() * 2, fault.released.set)
        return fault.struck.is_set()

    async def heal(self) -> None:
        await self.rest()
