"""`kill -9` of PostgreSQL, which is started again at once; every other time it is killed while it recovers, too."""

from __future__ import annotations

import asyncio

from tests.chaos.faults.fault import Fault


class PostgresKilled(Fault):
    """fsync is on: what was committed is there again."""

    async def begin(self) -> None:
        self.cluster.postgres.kill()
        self.work(self._bring_back())

    async def _bring_back(self) -> None:
        again = self.dice.random() < 0.5
        starting = asyncio.create_task(self.cluster.postgres.start())
        if again:
            await asyncio.sleep(self.dice.random() * 0.4)
            self.times += self.cluster.postgres.kill()
        await starting
        if again:
            await self.cluster.postgres.start()
        self.over.set()

    async def heal(self) -> None:
        assert self._work is not None
        await self._work
