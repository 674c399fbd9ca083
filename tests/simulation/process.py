"""Processes: a node as `node.incarnation` puts it together, without its threads; and a client.

The heartbeat beats on the node's own loop here, so a frozen node does not beat, and the watch over the others lives
beside it. What it takes to be an incarnation is otherwise the engine's own.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from orquestrax.base.clock import DatabaseClock
from orquestrax.client.client import Client
from orquestrax.client.views import Ending
from orquestrax.core.claimer import TROUBLE, Claimer
from orquestrax.core.journal import Journal
from orquestrax.core.orchestrator import Orchestrator
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.nodeverbs import register_node
from orquestrax.define.resources import Resources
from orquestrax.define.workflow import Workflow
from orquestrax.model.rows import NewInstance, Verdict
from orquestrax.node.askers import Askers
from orquestrax.worker.runner import StepRunner
from tests.simulation.hints import Hints
from tests.simulation.network import Line
from tests.simulation.stores import Pool, SimulatedJournalStore, SimulatedNodeStore, alive_nodes, declare, single
from tests.simulation.world import ProcessLoop

if TYPE_CHECKING:
    from tests.simulation.run import Simulation

HEARTBEAT: Final = 2.0
LEASE: Final = 10.0


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
    """A node: one incarnation after the other. `buries` is the fence of a predecessor that it knows to be dead."""

    def __init__(
        self, simulation: Simulation, name: str, workflows: dict[str, Workflow[Any, Any]], buries: int | None
    ) -> None:
        self._workflows, self._buries = workflows, buries
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
        """As `Node._keep_alive`: declared dead, it drops its memory and comes back."""
        while True:
            try:
                incarnation = await self._begin()
            except TROUBLE:
                await asyncio.sleep(0.5)
                continue
            await incarnation.fenced.wait()
            self.incarnation = None
            incarnation.abandon()

    async def _begin(self) -> Incarnation:
        name = self.loop.name.partition(".")[0]
        columns = (name, "host", "boot", "home", 1, ["engine"], ["*"], sorted(self._workflows), "{}", "test")
        fence, now = await register_node(
            Pool(self.line),  # type: ignore[arg-type]
            **{f"column {n}": value for n, value in enumerate(columns)},
        )
        if self._buries is not None:
            await declare(self.line(), self._buries, None)
            self._buries = None
        incarnation = Incarnation(self, Fence(0, fence), f"{name}-{fence}", self._workflows)
        self.made.append(incarnation)
        incarnation.clock.observe(now)
        await incarnation.start()
        self.incarnation = incarnation
        return incarnation


class Incarnation:
    """Everything that belongs to one fence, wired as in `node.incarnation.Incarnation`."""

    def __init__(
        self, process: NodeProcess, fence: Fence, name: str, workflows: dict[str, Workflow[Any, Any]]
    ) -> None:
        self._process, self.fence, self._workflows = process, fence, workflows
        self.fenced = asyncio.Event()
        self.askers = Askers()
        self.clock = clock = DatabaseClock(process.loop.time)
        self.store = SimulatedNodeStore(process.line(), fence)
        lanes = [SimulatedJournalStore(process.line(), fence, f"journal {n}") for n in range(2)]
        self.journal = Journal(lanes, on_fenced=self.fenced.set)  # type: ignore[arg-type]
        plan = process.simulation.plan
        self.runner = StepRunner(
            node=name,
            now=clock.now,
            resources=Resources(),
            on_end=lambda job, outcome: self.orchestrator.dispatcher.ended(job, outcome),
            on_long=lambda job, started_at: self.orchestrator.long_step(job, started_at),
            on_free=lambda executor: self.orchestrator.dispatcher.freed(executor),
            slots={"async": plan.slots, "thread": 0, "process": 0},
            rng=random.Random(fence.number),
        )
        self.orchestrator = Orchestrator(
            node=name,
            workflows=workflows,
            clock=clock,
            journal=self.journal,
            runner=self.runner,
            park_after=plan.park_after,
            on_changed=process.hints.view,
            on_left=self.askers.left,
            on_mail=lambda: self.claimer.look_for_mail(),
            on_evicted=lambda _key: self.claimer.reconcile_soon(),
        )
        self.claimer = Claimer(
            self.store,
            self.orchestrator,
            clock,
            {name: workflow.digest for name, workflow in workflows.items()},
            poll=plan.poll,
            on_fenced=self.fenced.set,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.journal.start()
        await self.store.wake_blocked([(w.name, w.digest) for w in self._workflows.values()])
        hints = self._process.hints
        self._unlisten = [
            hints.listen("work", lambda _payload: self.claimer.look_for_work()),
            hints.listen(f"node.{self.fence.number}", lambda _payload: self.claimer.look_for_mail()),
        ]
        self.claimer.start()
        self._tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._watch())]

    def abandon(self) -> None:
        """Drop everything at once, as `node.incarnation` does."""
        self.claimer.abandon()
        self.journal.abandon()
        for task in self._tasks:
            task.cancel()
        for unlisten in self._unlisten:
            unlisten()
        asyncio.get_running_loop().call_soon(self.orchestrator.close)
        self.askers.dismiss()
        self.runner.abandon()

    async def _beat(self) -> None:
        line = self._process.line()
        while True:
            try:
                rows = await single(line, "heartbeat", self.fence.number)
            except TROUBLE:
                line.drop()
            else:
                if not rows:
                    self.fenced.set()
                    return
                self.clock.observe(rows[0]["now"])
            await asyncio.sleep(HEARTBEAT)

    async def _watch(self) -> None:
        """Declare dead whose counter stood still for a lease of this node's own time, watched without a gap."""
        line, seen, looked = self._process.line(), dict[int, tuple[int, float]](), 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                sent, beating = loop.time(), await alive_nodes(line)
                if loop.time() - looked > 2 * HEARTBEAT:
                    seen.clear()
                looked = loop.time()
                for fence, heartbeat in beating.items():
                    counter, since = seen.get(fence, (None, looked))
                    if counter != heartbeat:
                        seen[fence] = (heartbeat, looked)
                    elif sent - since >= LEASE and fence != self.fence.number:
                        await declare(line, fence, heartbeat)
            except TROUBLE:
                line.drop()
            await asyncio.sleep(HEARTBEAT / 2)
