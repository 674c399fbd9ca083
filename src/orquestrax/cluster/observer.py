"""Watches the heartbeats of the other nodes, and declares those dead that have fallen silent.

Lives on the heartbeat's thread and looks over its connection, so that a busy node still watches. Each declaration is a
task of its own there, on a connection of its own: it may have to wait. Nodes that share this machine's boot and home
are also known by their record locks, which tell at once that a process is gone, and that a silent one lives.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import asyncpg

from orquestrax.base.errors import OrquestraxError
from orquestrax.cluster.detector import FailureDetector, Seen
from orquestrax.cluster.leader import Leader
from orquestrax.cluster.lease import Clock, uptime
from orquestrax.cluster.machine import Machine
from orquestrax.core.store.database import Address, within
from orquestrax.core.store.deaths import Cause, Death, declare_dead
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.statements import statement

log = logging.getLogger(__name__)


class Observer:
    """`on_death` is called on the observing thread after each declaration of this node's, `on_lead` when it leads.

    every  seconds between two looks
    gap    seconds between two looks that break the watch
    lead   seconds that the lead lasts without being renewed: who has it sweeps
    """

    def __init__(
        self,
        address: Address,
        fence: Fence,
        machine: Machine,
        *,
        every: float,
        gap: float,
        lead: float,
        on_death: Callable[[Death], None],
        on_lead: Callable[[], None] = lambda: None,
        clock: Clock = uptime,
    ) -> None:
        self._address, self._fence, self._machine = address, fence, machine
        self._every, self._on_death, self._clock = every, on_death, clock
        self._detector = FailureDetector(gap)
        self.leader = Leader(address.schema, fence.number, lead, on_lead=on_lead, clock=clock)
        self._declaring: dict[int, asyncio.Task[None]] = {}

    async def look(self, connection: asyncpg.Connection, deadline: float) -> float:
        """One look at everybody; returns the seconds until the next one is due. Raises what the database raises."""
        text = statement(self._address.schema, "watch_nodes")
        sent = self._clock()
        looking = connection.fetch(text, self._fence.number, self._machine.boot_id, self._machine.home_id)
        rows = {row["fence"]: row for row in await within(connection, looking, deadline)}
        received = self._clock()
        nodes = {fence: Seen(row["heartbeat"], row["lease"]) for fence, row in rows.items()}
        silent = set(self._detector.look(nodes, sent=sent, received=received))
        for fence, row in rows.items():
            if row["neighbour"] and self._machine.is_dead(fence):
                self._declare(row, cause="gone", counts=True)
            elif fence in silent:
                self._declare(row, cause="silent", counts=not row["neighbour"])
        await self.leader.look(connection, deadline)
        return min(self._every, self._detector.next_due(nodes, self._clock()) + 0.001)

    async def close(self) -> None:
        """End what is under way, by cutting its connections."""
        tasks = list(self._declaring.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _declare(self, row: Any, *, cause: Cause, counts: bool) -> None:
        fence = row["fence"]
        if fence not in self._declaring:
            declaring = self._declared(row, cause, counts)
            self._declaring[fence] = asyncio.create_task(declaring, name=f"declare {fence} dead")

    async def _declared(self, row: Any, cause: Cause, counts: bool) -> None:
        fence = row["fence"]
        try:
            death = await declare_dead(
                self._address,
                self._fence.space,
                fence,
                row["heartbeat"],
                by=self._fence.number,
                cause=cause,
                counts=counts,
            )
        except OrquestraxError as error:
            log.warning("node %s looks dead and could not be declared so: %s", row["name"], error)
        else:
            if cause == "gone":
                self._machine.forget(fence)
            if death is not None:
                self._on_death(death)
        finally:
            del self._declaring[fence]
