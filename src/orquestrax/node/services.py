"""The services of one incarnation, made and put together; `incarnation` has their order of starting and stopping."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from orquestrax.base.clock import DatabaseClock
from orquestrax.cluster.heartbeat import Heartbeat
from orquestrax.cluster.lease import Lease
from orquestrax.cluster.machine import Machine
from orquestrax.cluster.observer import Observer
from orquestrax.core.claimer import Claimer
from orquestrax.core.journal import Journal
from orquestrax.core.orchestrator import Orchestrator
from orquestrax.core.peers import Peers
from orquestrax.core.store.database import Database
from orquestrax.core.store.deaths import Death, sweep
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.journalverbs import JournalStore
from orquestrax.core.store.logs import LogWriter
from orquestrax.core.store.nodeverbs import NodeStore
from orquestrax.core.store.progress import ProgressStore
from orquestrax.core.store.taskverbs import TaskStore
from orquestrax.define.resources import Resources
from orquestrax.model.jobs import Said
from orquestrax.model.rows import History
from orquestrax.node.announcing import load_of
from orquestrax.node.askers import Askers
from orquestrax.node.logowners import LogOwners
from orquestrax.node.logshipper import LogShipper
from orquestrax.node.options import EngineOptions
from orquestrax.node.part import Part
from orquestrax.node.upkeep import Upkeep
from orquestrax.worker.queues.service import Queues
from orquestrax.worker.runner import StepRunner
from orquestrax.worker.slots import DEFAULT_SLOTS
from orquestrax.worker.transactions.service import Transactions

log = logging.getLogger(__name__)


class Services:
    """Everything that belongs to one fence. `fenced` is set when it is over, `why` says how that came.

    `ending` is set then, and also when somebody wants it to drain; `grace` is what they said of its bodies.
    """

    def __init__(
        self,
        fence: Fence,
        name: str,
        database: Database,
        hints: Hints,
        machine: Machine,
        lease: Lease,
        askers: Askers,
    ) -> None:
        self._askers = askers
        self.fence, self.name, self.machine, self.lease = fence, name, machine, lease
        self.fenced, self.why = asyncio.Event(), ""
        self.ending = asyncio.Event()
        self.grace: float | None = None
        self._database, self._hints = database, hints
        self._unlisten: list[Callable[[], None]] = []

    def build(self, part: Part, options: EngineOptions, may_beat: Callable[[], bool]) -> None:
        """Make them all; none of them has begun."""
        database, self.part = self._database, part
        self.clock = clock = DatabaseClock()
        self.store = NodeStore(database, self.fence)
        self.journal = Journal(
            [JournalStore(database.address, self.fence, f"journal {n}") for n in range(options.lanes)],
            on_fenced=self._declared,
        )
        self._build_runner(part)
        self.orchestrator = Orchestrator(
            node=self.name,
            workflows=part.workflows,
            clock=clock,
            journal=self.journal,
            runner=self.runner,
            park_after=options.park_after,
            on_changed=self._hints.view,
            on_ended=self._hints.ended,
            on_left=self._askers.left,
            on_mail=lambda: self.claimer.look_for_mail(),
            on_due=self._due,
            on_evicted=lambda _key: self.claimer.reconcile_soon(),
            on_queued=lambda new, withdrawn: self.queues.changed(new=new, withdrawn=withdrawn),
            peers=Peers(part.served),
            on_claimed=lambda job, outcome: self.queues.ended(job, outcome),
            on_free=lambda executor: self.queues.claimer.freed(executor),
        )
        self._build_queues(part, options)
        self.claimer = Claimer(
            self.store,
            self.orchestrator,
            clock,
            {name: workflow.digest for name, workflow in part.workflows.items()},
            capacity=options.capacity,
            poll=options.poll,
            on_fenced=self._declared,
            on_read=self._read,
            tries_step=lambda: self.queues.suspected,
        )
        self.logs = LogShipper(
            LogWriter(database.address, self.name),
            clock,
            owner=LogOwners(self.orchestrator.memory, self.runner),
            on_written=self._hints.view,
        )
        sweeps = [lambda: self.progress.sweep(self.fence.number), self._sweep_lost]
        self.upkeep = Upkeep(sweeps, every=options.upkeep, leads=lambda: self.leader.leads)
        self._build_heartbeat(options, may_beat)

    def _build_heartbeat(self, options: EngineOptions, may_beat: Callable[[], bool]) -> None:
        """What tells the others that this node lives, and watches whether they do."""
        address = self._database.address
        observer = Observer(
            address,
            self.fence,
            self.machine,
            every=options.poll,
            gap=max(2 * options.heartbeat, 2 * options.poll),
            lead=options.lease,
            on_death=lambda death: self.heartbeat.tell(self._died, death),
            on_lead=lambda: self.heartbeat.tell(self.upkeep.wake),
        )
        self.leader = observer.leader
        self.heartbeat = Heartbeat(
            address,
            self.fence.number,
            lease=self.lease,
            observer=observer,
            every=options.heartbeat,
            on_beat=self._beaten,
            on_fenced=self._declared,
            on_expired=self._expired,
            on_drain=self._to_drain,
            may_beat=may_beat,
            load=lambda: load_of(self.orchestrator, self.runner),
        )

    def _build_queues(self, part: Part, options: EngineOptions) -> None:
        """What takes steps from the cluster's queues."""
        stores = TaskStore(self._database, self.fence), TaskStore(self._database, self.fence)
        self.queues = Queues(
            stores,
            self.orchestrator.dispatcher,
            self.runner.reports,
            self.clock,
            part.steps,
            node=self.name,
            slots=part.slots,
            poll=options.poll,
            hints=self._hints,
            on_mail=lambda: self.claimer.look_for_mail(),
            on_shared=self._shared,
            on_fenced=self._declared,
            suspects=lambda: self.claimer.suspects.some(),
        )

    def _build_runner(self, part: Part) -> None:
        """What runs the bodies of steps, and what they need."""
        database, clock = self._database, self.clock
        self.progress = ProgressStore(database)
        self.resources = Resources()
        self.transactions = Transactions(database.address, self.fence, self.name, clock.now)
        self.runner = StepRunner(
            node=self.name,
            now=clock.now,
            resources=self.resources,
            on_end=lambda job, outcome: self.orchestrator.dispatcher.ended(job, outcome),
            on_long=lambda job, started_at: (self.queues if job.claimed else self.orchestrator).long_step(
                job, started_at
            ),
            on_free=lambda executor: self.orchestrator.dispatcher.freed(executor),
            slots=part.slots,
            limits=part.served.limits,
            may_start=self.lease.allows,
            write_progress=self._write_progress,
            transactions=self.transactions,
            delete_progress=lambda steps: self.progress.delete(self.fence.number, steps),
        )

    # -- what its services tell it ---------------------------------------------------------------------------------

    def _beaten(self, now: int) -> None:
        """A heartbeat arrived. What had to wait while it was not sure that one would can start now."""
        self.clock.observe(now)
        if self.orchestrator.dispatcher.backlog:
            for executor in DEFAULT_SLOTS:
                self.orchestrator.dispatcher.freed(executor)

    def _died(self, death: Death) -> None:
        """Another node was declared dead by this one: what it held is due."""
        log.warning(
            "node %s is dead, %.1f s after its last sign of life: other nodes go on with what it held (%d)",
            death.name,
            death.silent,
            death.instances,
        )
        self._hints.work()
        self._hints.tasks()

    async def _sweep_lost(self) -> None:
        """What owners still hold that are not alive: nothing, unless a declaration was not the last to write."""
        if await sweep(self._database.address, self.fence.space):
            self._hints.work()

    def _declared(self) -> None:
        self._over("was declared dead")

    def _expired(self) -> None:
        self._over(f"could not renew its lease of {self.lease.seconds:g} s")

    def _over(self, why: str) -> None:
        self.why = self.why or why
        self.fenced.set()
        self.ending.set()

    def _to_drain(self, grace: float | None) -> None:
        self.grace = grace
        self.ending.set()

    def _read(self, histories: Mapping[UUID, History]) -> None:
        """Of instances that this node takes over: their steps go on where their last heartbeats were."""
        for key, history in histories.items():
            if history.heartbeats:
                self.runner.reports.remember(key, history.heartbeats)

    def _shared(self) -> None:
        """Others serve queues of this node as well: what waits here may go there. Code runs in plain callbacks."""
        asyncio.get_running_loop().call_soon(self.orchestrator.overflow)

    def _due(self) -> None:
        """Something is due, here or elsewhere."""
        self.claimer.look_for_work()
        self._hints.work()

    async def _write_progress(self, batch: Sequence[Said]) -> None:
        await self.progress.write(self.fence.number, batch)
        for said in batch:
            self._hints.view(said.instance)
