"""Processes: a client, and a node that lives one incarnation after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from orquestrax.base.errors import OrquestraxError
from orquestrax.client.client import Client
from orquestrax.client.views import Ending
from orquestrax.core.claimer import TROUBLE
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.nodeverbs import register_node
from orquestrax.model.rows import NewInstance, Verdict
from orquestrax.node.announcing import announced
from orquestrax.node.part import Part
from tests.simulation.hints import Hints
from tests.simulation.incarnation import LEASE, Incarnation
from tests.simulation.network import Line
from tests.simulation.stores import Pool
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

    async def order_to_drain(self, fence: int, grace: float) -> None:
        """As `orquestrax drain` does, once: who does not hear goes on."""
        with suppress(OrquestraxError):
            await self.client.store.drain([fence], grace)

    def kill(self) -> None:
        """As `kill -9`."""
        self.loop.kill()
        del self.simulation.bus.members[self.loop.name]
        for line in self._lines:
            line.vanish()

    def close(self) -> None:
        """After the simulation."""


class NodeProcess(Process):
    """A node: one incarnation after the other, until it is told to end. `machine` tells whose end it can know of.

    `leaving` is since when it ends cleanly, and `grace` how many seconds its bodies have then.
    """

    def __init__(self, simulation: Simulation, name: str, part: Part, machine: str) -> None:
        self._part, self.machine = part, Machine(simulation, machine)
        self.incarnation: Incarnation | None = None
        self.made: list[Incarnation] = []
        self.leaving: int | None = None
        self.grace = simulation.plan.grace
        self.on_exit: Callable[[], None] = lambda: None
        super().__init__(simulation, name)
        self.run(self._live)

    def _engine(self) -> Any:
        return self

    @property
    def fence(self) -> int | None:
        """Of the incarnation that lives now."""
        return None if self.incarnation is None else self.incarnation.fence.number

    @property
    def fences(self) -> set[int]:
        """Of all incarnations."""
        return {incarnation.fence.number for incarnation in self.made}

    async def start_here(self, new: NewInstance) -> Verdict | None:
        now = self.incarnation
        return None if now is None else await now.start_here(new)

    async def ended_here(self, key: UUID) -> Ending | None:
        now = self.incarnation
        return None if now is None else await now.ended_here(key)

    def kill(self) -> None:
        """As `kill -9`: its neighbours know."""
        self.simulation.gone |= {
            str(incarnation.fence.number) for incarnation in self.made
        } - self.machine.let
        super().kill()

    def close(self) -> None:
        for incarnation in self.made:
            incarnation.orchestrator.close()

    def terminate(self) -> None:
        """As SIGTERM: the process ends cleanly, whatever it is about."""
        self.run(self._leave)

    async def _live(self) -> None:
        """As `Node._keep_alive`: declared dead or without a lease, it drops its memory and comes back."""
        former: Fence | None = None
        while self.leaving is None:
            try:
                incarnation = await self._begin(former)
            except TROUBLE:
                await asyncio.sleep(0.5)
                continue
            await incarnation.ending.wait()
            if self.leaving is not None:
                return
            if not incarnation.fenced.is_set():
                self.grace = self.grace if incarnation.grace is None else incarnation.grace
                await self._leave()
                return
            self.incarnation, former = None, incarnation.fence
            incarnation.abandon()

    async def _leave(self) -> None:
        """As `Node.stop`, and then the process ends."""
        if self.leaving is not None:
            return
        self.leaving = self.simulation.world.time
        if self.incarnation is not None:
            await self.incarnation.stop(self.grace)
        self.kill()
        self.on_exit()

    async def _begin(self, former: Fence | None) -> Incarnation:
        name, part, machine = self.loop.name.partition(".")[0], self._part, self.machine
        fence, now = await register_node(
            Pool(self.line),  # type: ignore[arg-type]
            name=name, host=name, boot_id=machine.boot_id, home_id=machine.home_id, pid=1, roles=list(part.roles),
            queues=part.served.shown, definitions=sorted(part.workflows), slots="{}", release="test", lease=LEASE,
            python="", code=announced(part.workflows),
        )  # fmt: skip
        incarnation = Incarnation(self, Fence(0, fence), f"{name}-{fence}", part)
        self.made.append(incarnation)
        await incarnation.begin_again(now, former)
        self.incarnation = incarnation
        return incarnation


class Machine:
    """The record locks of one machine: which processes on it are gone. `let` are those that ended cleanly."""

    def __init__(self, simulation: Simulation, name: str) -> None:
        self._simulation, self.boot_id, self.home_id = simulation, name, "home"
        self.let: set[str] = set()

    def is_dead(self, fence: int) -> bool:
        return str(fence) in self._simulation.gone

    def let_go(self, fence: int) -> None:
        self.let.add(str(fence))

    def forget(self, fence: int) -> None:
        """There is no file here to remove."""
