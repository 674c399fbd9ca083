"""Processes: a client, and a node that lives one incarnation after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from orquestrax.client.client import Client
from orquestrax.client.views import Ending
from orquestrax.core.claimer import TROUBLE
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.nodeverbs import register_node
from orquestrax.define.workflow import Workflow
from orquestrax.model.rows import NewInstance, Verdict
from tests.simulation.hints import Hints
from tests.simulation.incarnation import LEASE, Incarnation
from tests.simulation.network import Line
from tests.simulation.stores import (
    Pool,
    declare,
    single,
)
from tests.simulation.world import ProcessLoop

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


class Process:
    """Something with an event loop and lines to the server; `client` is how one uses it."""

    def __init__(self, simulation: Simulation, name: str) -> None:
        self.simulation = simulation
        self.loop = ProcessLoop(simulation.world, name)
        self.hints = Hints(simulation.bus, self.loop)
        self._lines: list[Line] = []
        self.client = Client(ClientStore(Pool(self.line)), self.hints, engine=self._engine())  # type: ignore[arg-type]

    def _engine(self) -> Any:
        return None

    def line(self) -> Line:
        """A new connection of this process."""
        self._lines = [line for line in self._lines if line.open]
        self._lines.append(Line(self.simulation.server, self.simulation.network, self.loop))
        return self._lines[-1]

    def run(self, work: Callable[[], Any]) -> None:
        """Begin a task here."""
        self.loop.call_soon(lambda: self.loop.create_task(work()))

    def kill(self) -> None:
        """As `kill -9`."""
        self.loop.kill()
        del self.simulation.bus.members[self.loop.name]
        for line in self._lines:
            line.vanish()

    def close(self) -> None:
        """After the simulation."""


class NodeProcess(Process):
    """A node: one incarnation after the other. `machine` tells which processes it can know to be gone."""

    def __init__(
        self, simulation: Simulation, name: str, workflows: dict[str, Workflow[Any, Any]], machine: str
    ) -> None:
        self._workflows, self.machine = workflows, Neighbours(simulation, machine)
        self.incarnation: Incarnation | None = None
        self.made: list[Incarnation] = []
        super().__init__(simulation, name)
        self.run(self._live)

    def _engine(self) -> Any:
        return self

    @property
    def fence(self) -> int | None:
        """Of the incarnation that lives now."""
        return None if self.incarnation is None else self.incarnation.fence.number

    async def start_here(self, new: NewInstance) -> Verdict | None:
        now = self.incarnation
        return None if now is None else await now.askers.start(new, now.orchestrator, now.claimer)

    async def ended_here(self, key: UUID) -> Ending | None:
        now = self.incarnation
        return None if now is None else await now.askers.ended(key, now.orchestrator)

    def close(self) -> None:
        for incarnation in self.made:
            incarnation.orchestrator.close()

    async def _live(self) -> None:
        """As `Node._keep_alive`: declared dead or without a lease, it drops its memory and comes back."""
        former: Fence | None = None
        while True:
            try:
                incarnation = await self._begin(former)
            except TROUBLE:
                await asyncio.sleep(0.5)
                continue
            await incarnation.fenced.wait()
            self.incarnation, former = None, incarnation.fence
            incarnation.abandon()

    async def _begin(self, former: Fence | None) -> Incarnation:
        name = self.loop.name.partition(".")[0]
        code = {w.name: {"version": w.version, "digest": w.digest} for w in self._workflows.values()}
        fence, now = await register_node(
            Pool(self.line),  # type: ignore[arg-type]
            name=name, host=name, boot_id=self.machine.boot_id, home_id=self.machine.home_id, pid=1, roles=["engine"],
            queues=["*"], definitions=sorted(self._workflows), slots="{}", release="test", lease=LEASE, python="",
            code=msgspec.json.encode(code).decode(),
        )  # fmt: skip
        if former is not None:
            await declare(self.line(), former.number, None, fence, "expired", counts=False)
            await single(self.line(), "absolve", former.number)
        incarnation = Incarnation(self, Fence(0, fence), f"{name}-{fence}", self._workflows)
        self.made.append(incarnation)
        incarnation.clock.observe(now)
        await incarnation.start()
        self.incarnation = incarnation
        return incarnation


class Neighbours:
    """The record locks of one machine: which processes on it are gone."""

    def __init__(self, simulation: Simulation, name: str) -> None:
        self._simulation, self.boot_id, self.home_id = simulation, name, "home"

    def is_dead(self, fence: int) -> bool:
        return str(fence) in self._simulation.gone

    def forget(self, fence: int) -> None:
        """There is no file here to remove."""
