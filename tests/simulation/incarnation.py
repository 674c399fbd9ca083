"""One incarnation of a simulated node, wired as `node.incarnation` does it, with the engine's own services.

Heartbeat and observer live on the node's loop, not on a thread: a node is frozen as a whole.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from orquestrax.base.clock import DatabaseClock
from orquestrax.cluster.heartbeat import Heartbeat
from orquestrax.cluster.lease import Lease
from orquestrax.cluster.observer import Observer
from orquestrax.core.claimer import TROUBLE, Claimer
from orquestrax.core.journal import Journal
from orquestrax.core.orchestrator import Orchestrator
from orquestrax.core.store.database import Address
from orquestrax.core.store.deaths import Cause
from orquestrax.core.store.fence import Fence
from orquestrax.define.resources import Resources
from orquestrax.define.workflow import Workflow
from orquestrax.model.jobs import Job
from orquestrax.node.askers import Askers
from orquestrax.node.upkeep import Upkeep
from orquestrax.worker.runner import StepRunner
from tests.simulation.network import Line
from tests.simulation.stores import (
    Connection,
    SimulatedJournalStore,
    SimulatedNodeStore,
    declare,
    sweep,
)

if TYPE_CHECKING:
    from tests.simulation.process import NodeProcess

HEARTBEAT: Final = 2.0
LEASE: Final = 10.0


class Incarnation:
    """Everything that belongs to one fence, wired as in `node.incarnation.Incarnation`."""

    def __init__(
        self, process: NodeProcess, fence: Fence, name: str, workflows: dict[str, Workflow[Any, Any]]
    ) -> None:
        self._process, self.fence, self._workflows = process, fence, workflows
        self.fenced = asyncio.Event()
        self.lease = Lease(LEASE, margin=LEASE / 5, clock=process.loop.time)
        self.askers = Askers()
        self.clock = clock = DatabaseClock(process.loop.time)
        self.store = SimulatedNodeStore(process.line(), fence)
        lanes = [SimulatedJournalStore(process.line(), fence, f"journal {n}") for n in range(2)]
        self.journal = Journal(lanes, on_fenced=self.fenced.set)  # type: ignore[arg-type]
        plan = process.simulation.plan
        self.runner = Runner(
            node=name,
            now=clock.now,
            resources=Resources(),
            on_end=lambda job, outcome: self.orchestrator.dispatcher.ended(job, outcome),
            on_long=lambda job, started_at: self.orchestrator.long_step(job, started_at),
            on_free=lambda executor: self.orchestrator.dispatcher.freed(executor),
            slots={"async": plan.slots, "thread": 0, "process": 0},
            may_start=self.lease.allows,
            rng=random.Random(fence.number),
        )
        self.runner.witness = lambda: process.simulation.server.witness_body(fence.number)
        self.orchestrator = Orchestrator(
            node=name,
            workflows=workflows,
            clock=clock,
            journal=self.journal,
            runner=self.runner,
            park_after=plan.park_after,
            on_changed=process.hints.view,
            on_ended=process.hints.ended,
            on_left=self.askers.left,
            on_mail=lambda: self.claimer.look_for_mail(),
            on_due=self._due,
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
        self._build_heartbeat(Address(dsn="", schema=process.simulation.database.schema), plan.poll)

    def _build_heartbeat(self, address: Address, poll: float) -> None:
        process = self._process
        observer = Watch(
            address, self.fence, process.machine, every=poll, gap=max(2 * HEARTBEAT, 2 * poll), clock=process.loop.time,
            lead=LEASE, on_death=lambda _death: process.hints.work(),
        )  # fmt: skip
        observer.line = process.line
        self.heartbeat = Beat(
            address, self.fence.number, lease=self.lease, observer=observer, every=HEARTBEAT, on_beat=self._beaten,
            on_fenced=self.fenced.set, on_expired=self.fenced.set,
        )  # fmt: skip
        self.heartbeat.line = process.line
        self.upkeep = Upkeep([self._sweep], every=20.0, leads=lambda: observer.leader.leads)

    async def _sweep(self) -> None:
        line = self._process.line()
        try:
            await sweep(line)
        finally:
            line.drop()

    async def start(self) -> None:
        await self.journal.start()
        await self.store.wake_blocked([(w.name, w.digest) for w in self._workflows.values()])
        hints = self._process.hints
        self._unlisten = [
            hints.listen("work", lambda _payload: self.claimer.look_for_work()),
            hints.listen(f"node.{self.fence.number}", lambda _payload: self.claimer.look_for_mail()),
        ]
        self.claimer.start()
        self.heartbeat.start()
        self.upkeep.start()

    def abandon(self) -> None:
        """Drop everything at once, as `node.incarnation` does."""
        self.claimer.abandon()
        self.journal.abandon()
        self.heartbeat.abandon()
        self.upkeep.abandon()
        for unlisten in self._unlisten:
            unlisten()
        asyncio.get_running_loop().call_soon(self.orchestrator.close)
        self.askers.dismiss()
        self.runner.abandon()

    def _due(self) -> None:
        """Something is due, here or elsewhere."""
        self.claimer.look_for_work()
        self._process.hints.work()

    def _beaten(self, now: int) -> None:
        """What had to wait while it was not sure that a heartbeat would arrive can start now."""
        self.clock.observe(now)
        if self.orchestrator.dispatcher.backlog:
            self.orchestrator.dispatcher.freed("async")


class Runner(StepRunner):
    """The step runner; `witness` hears of each job that it is about to start."""

    witness: Callable[[], None]

    def start(self, job: Job) -> None:
        self.witness()
        super().start(job)


class Beat(Heartbeat):
    """The heartbeat, on the node's own loop."""

    line: Callable[[], Line]

    def start(self) -> None:
        self._task = asyncio.create_task(self._live())

    async def _connected(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            line = self.line()
            await line.connect()
            self._connection = Connection(line)
        return self._connection


class Watch(Observer):
    """The observer, whose declarations go over the simulated wire."""

    line: Callable[[], Line]

    async def _declared(self, row: Any, cause: Cause, counts: bool) -> None:
        line = self.line()
        try:
            death = await declare(
                line, row["fence"], row["heartbeat"], self._fence.number, cause, counts=counts
            )
        except TROUBLE:
            return
        else:
            if death is not None:
                self._on_death(death)
        finally:
            line.drop()
            del self._declaring[row["fence"]]
