"""The wall clock of a node jumps, by seconds or by years, back and forth."""

from __future__ import annotations

import asyncio

from tests.chaos.faults.fault import Fault

YEAR = 365 * 86400.0


class Clocks(Fault):
    """It jumps a few times, and is right in the end."""

    async def begin(self) -> None:
        self.times = 0
        self.work(self._jump())

    async def _jump(self) -> None:
        while True:
            assert self.node.clock is not None
            size = self.dice.choice((0.5, 5.0, 60.0, 3600.0, YEAR, 10 * YEAR))
            self.node.clock.jump(self.dice.choice((-1, 1)) * size * self.dice.random())
            self.times += 1
            await asyncio.sleep(0.2 + self.dice.random() * 3)

    async def heal(self) -> None:
        await self.rest()
        assert self.node.clock is not None
        self.node.clock.jump(0.0)
