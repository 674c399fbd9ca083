"""One incarnation of a simulated node: the real one, with its services on the simulated wire.

Registration, starting, draining, stopping and abandoning are the engine's own; what is made anew here is the wiring, as
in `node.services`. Heartbeat and observer live on the node's loop, not on a thread: a node is frozen as a whole.
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
from orquestrax.core.peers import Peers
from orquestrax.core.store.database import Address
from orquestrax.core.store.deaths import Cause
from orquestrax.core.store.fence import Fence
from orquestrax.define.resources import Resources
from orquestrax.model.jobs import Job
from orquestrax.node import incarnation
from orquestrax.node.askers import Askers
from orquestrax.node.part import Part
from orquestrax.node.upkeep import Upkeep
from orquestrax.worker.queues.service import Queues
from orquestrax.worker.runner import StepRunner
from tests.simulation.network import Line
from tests.simulation.stores import (
    Connection,
    Pool,
    SimulatedJournalStore,
    SimulatedNodeStore,
    SimulatedTaskStore,
    declare,
    single,
    sweep,
)

if TYPE_CHECKING:
    from tests.simulation.process import NodeProcess

HEARTBEAT: Final = 2.0
LEASE: Final = 10.0
UPKEEP: Final = 20.0


class Incarnation(incarnation.Incarnation):
    """Everything that belongs to one fence."""

    def __init__(self, process: NodeProcess, fence: Fence, name: str, part: Part) -> None:
        lease = Lease(LEASE, margin=LEASE / 5, clock=process.loop.time)
        super().__init__(
            fence, name, Pool(process.line), process.hints, process.machine, lease, Askers()  # type: ignore[arg-type]
        )  # fmt: skip
        self._process, self.part = process, part
        self.logs = self.transactions = Nothing()  # type: ignore[assignment]
        self._wire()

    async def begin_again(self, now: int, former: Fence | None) -> None:
        """What `Incarnation.begin` does behind the registration."""
        self.clock.observe(now)
        if former is not None:
            await declare(
                self._process.line(), former.number, None, self.fence.number, "expired", counts=False
            )
            for name in ("absolve", "absolve_tasks"):
                await single(self._process.line(), name, former.number)
        await self._start()

    def _wire(self) -> None:
        process, part, plan = self._process, self.part, self._process.simulation.plan
        self.clock = DatabaseClock(process.loop.time)
        self.store = SimulatedNodeStore(process.line(), self.fence)
        lanes = [SimulatedJournalStore(process.line(), self.fence, f"journal {n}") for n in range(2)]
        self.journal = Journal(lanes, on_fenced=self._declared)  # type: ignore[arg-type]
        self._make_runner()
        self.orchestrator = Orchestrator(
            node=self.name,
            workflows=part.workflows,
            clock=self.clock,
            journal=self.journal,
            runner=self.runner,
            park_after=plan.park_after,
            on_changed=process.hints.view,
            on_ended=process.hints.ended,
            on_left=self._askers.left,
            on_mail=lambda: self.claimer.look_for_mail(),
            on_due=self._due,
            on_evicted=lambda _key: self.claimer.reconcile_soon(),
            on_queued=lambda new, withdrawn: self.queues.changed(new=new, withdrawn=withdrawn),
            peers=Peers(part.served),
            on_claimed=lambda job, outcome: self.queues.ended(job, outcome),
            on_free=lambda executor: self.queues.claimer.freed(executor),
        )
        self._make_queues()
        self.claimer = Claimer(
            self.store,
            self.orchestrator,
            self.clock,
            {name: workflow.digest for name, workflow in part.workflows.items()},
            poll=plan.poll,
            on_fenced=self._declared,
            tries_step=lambda: self.queues.suspected,
        )
        self._make_heartbeat(Address(dsn="", schema=process.simulation.database.schema), plan.poll)

    def _make_runner(self) -> None:
        self.resources = Resources()
        self.runner = Runner(
            node=self.name,
            now=self.clock.now,
            resources=self.resources,
            on_end=lambda job, outcome: self.orchestrator.dispatcher.ended(job, outcome),
            on_long=lambda job, started_at: (self.queues if job.claimed else self.orchestrator).long_step(
                job, started_at
            ),
            on_free=lambda executor: self.orchestrator.dispatcher.freed(executor),
            slots=self.part.slots,
            limits=self.part.served.limits,
            may_start=self.lease.allows,
            rng=random.Random(self.fence.number),
        )
        witnesses = self._process.simulation.server.witnesses
        self.runner.witness = lambda job: witnesses.body(self, job)

    def _make_queues(self) -> None:
        stores = [SimulatedTaskStore(self._process.line(), self.fence) for _ in range(2)]
        queues = Queues if self._process.simulation.plan.clustered else Alone
        self.queues = queues(
            (stores[0], stores[1]),
            self.orchestrator.dispatcher,
            self.runner.reports,
            self.clock,
            self.part.steps,
            node=self.name,
            slots=self.part.slots,
            poll=self._process.simulation.plan.poll,
            hints=self._process.hints,  # type: ignore[arg-type]
            on_mail=lambda: self.claimer.look_for_mail(),
            on_shared=self._shared,
            on_fenced=self._declared,
            suspects=lambda: self.claimer.suspects.some(),
        )

    def _make_heartbeat(self, address: Address, poll: float) -> None:
        process = self._process
        observer = Watch(
            address, self.fence, process.machine, every=poll, gap=max(2 * HEARTBEAT, 2 * poll), clock=process.loop.time,
            lead=LEASE, on_death=self._died, on_lead=lambda: self.heartbeat.tell(self.upkeep.wake),
        )  # fmt: skip
        observer.line = process.line
        self.leader = observer.leader
        self.heartbeat = Beat(
            address, self.fence.number, lease=self.lease, observer=observer, every=HEARTBEAT, on_beat=self._beaten,
            on_fenced=self._declared, on_expired=self._expired, on_drain=self._to_drain,
        )  # fmt: skip
        self.heartbeat.line = process.line
        self.upkeep = Upkeep([self._sweep_lost], every=UPKEEP, leads=lambda: observer.leader.leads)

    async def _sweep_lost(self) -> None:
        simulation, line = self._process.simulation, self._process.line()
        simulation.server.witnesses.sweep(
            simulation.world.time, self.fence.number, simulation.database.leader()
        )
        try:
            if await sweep(line):
                self._hints.work()
        finally:
            line.drop()


class Nothing:
    """In place of services that have no part in a simulation: logs, transactions of steps."""

    def start(self) -> None:
        """Nothing begins."""

    async def stop(self) -> None:
        """Nothing ends."""

    abandon = close = start


class Alone(Queues):
    """On nodes that all serve every queue and never hand over a step: asks the database for nothing."""

    def start(self) -> None:
        """Nobody asks."""

    async def stop_taking(self) -> None:
        """There is nothing to give back."""


class Runner(StepRunner):
    """The step runner; `witness` hears of each job that it is about to start."""

    witness: Callable[[Job], None]

    def start(self, job: Job) -> None:
        self.witness(job)
        super().start(job)


class Beat(Heartbeat):
    """The heartbeat, on the node's own loop."""

    line: Callable[[], Line]

    def start(self) -> None:
        self._task = asyncio.create_task(self._live())

    async def stop(self) -> None:
        self.abandon()
        await asyncio.wait({self._task}, timeout=5.0)

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
