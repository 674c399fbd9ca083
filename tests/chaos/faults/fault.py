"""What all faults have in common."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

from tests.chaos.cluster import Cluster, Node
from tests.chaos.load import Load
from tests.chaos.plan import Strike


class Fault:
    """One strike. `times` is how often it struck, `over` is set when there is nothing more to wait for.

    hit         the pids of the nodes that it struck
    complaints  what it saw that must not be
    """

    def __init__(self, cluster: Cluster, load: Load, strike: Strike) -> None:
        self.cluster, self.load, self.strike = cluster, load, strike
        self.dice = random.Random(strike.seed)
        self.times = 1
        self.over = asyncio.Event()
        self.hit: set[int] = set()
        self.complaints: list[str] = []
        self._work: asyncio.Task[None] | None = None

    @property
    def node(self) -> Node:
        """The node that it is about."""
        return self.cluster.nodes[self.strike.node % len(self.cluster.nodes)]

    async def ready(self) -> bool:
        """Wait until it may strike; False if it had better not."""
        return True

    async def begin(self) -> None:
        """Strike."""
        raise NotImplementedError

    async def heal(self) -> None:
        """End it; what it broke is whole again, or heals by itself."""
        raise NotImplementedError

    def work(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do this until it is over or `rest` is called."""
        self._work = asyncio.create_task(doing)

    async def rest(self) -> None:
        """Work no more. What the work failed of is raised."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])
            if not self._work.cancelled():
                self._work.result()
