"""One incarnation of a node: everything that belongs to one fence, from registration to its end.

Services in the order of starting: record lock, journal, step runner, orchestrator, claimer, heartbeat. They stop in
the reverse order; `abandon` drops them all at once, as a crash would, which is also what happens to an incarnation
that was declared dead or could not renew its lease. Whoever comes back after that is another incarnation: it declares
its former self dead, which nobody has to wait for, and takes back what the instances were suspected of meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from orquestrax.base.clock import DatabaseClock
from orquestrax.client.views import Ending
from orquestrax.cluster.heartbeat import Heartbeat
from orquestrax.cluster.lease import Lease
from orquestrax.cluster.machine import Machine
from orquestrax.cluster.observer import Observer
from orquestrax.core.claimer import TROUBLE, Claimer
from orquestrax.core.journal import Journal
from orquestrax.core.orchestrator import Orchestrator
from orquestrax.core.store.database import Database
from orquestrax.core.store.deaths import Death, absolve, declare_dead
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.journalverbs import JournalStore
from orquestrax.core.store.logs import LogWriter
from orquestrax.core.store.nodeverbs import NodeStore, register_node
from orquestrax.core.store.progress import ProgressStore
from orquestrax.define.catalogue import collect
from orquestrax.define.resources import Resources
from orquestrax.define.workflow import Workflow
from orquestrax.model.jobs import Said
from orquestrax.model.options import Executor
from orquestrax.model.rows import History, NewInstance, Verdict
from orquestrax.node.announcing import announced, load_of
from orquestrax.node.askers import Askers
from orquestrax.node.logowners import LogOwners
from orquestrax.node.logshipper import LogShipper
from orquestrax.node.options import EngineOptions
from orquestrax.worker.runner import StepRunner
from orquestrax.worker.slots import DEFAULT_SLOTS
from orquestrax.worker.transactions.service import Transactions

log = logging.getLogger(__name__)


class Incarnation:
    """Made by `Incarnation.begin`. `fenced` is set when it is over, `why` says how that came."""

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
        self._database, self._hints = database, hints

    @classmethod
    async def begin(
        cls,
        *,
        database: Database,
        hints: Hints,
        machine: Machine,
        workflows: Mapping[str, Workflow[Any, Any]],
        slots: Mapping[Executor, int],
        roles: tuple[str, ...],
        release: str,
        options: EngineOptions,
        may_beat: Callable[[], bool] = lambda: True,
        on_ended: Callable[[UUID], None] | None = None,
        former: Fence | None = None,
    ) -> Incarnation:
        """Register, take over what dead siblings on this machine held, and start to work.

        `former` is the incarnation of this process that is over.
        """
        margin = options.lease / 5 if options.margin is None else options.margin
        lease = Lease(options.lease, margin=margin)
        fence_number, now = await register_node(
            database,
            name=machine.host,
            host=machine.host,
            boot_id=machine.boot_id,
            home_id=machine.home_id,
            pid=os.getpid(),
            roles=list(roles),
            queues=["*"],
            definitions=sorted(workflows),
            slots=msgspec.json.encode(dict(slots)).decode(),
            release=release,
            lease=options.lease,
            python=platform.python_version(),
            code=announced(workflows),
        )
        machine.hold(fence_number)
        space = await database.lock_space()
        name = f"{machine.host}-{fence_number}"
        self = cls(Fence(space, fence_number), name, database, hints, machine, lease, Askers(on_ended))
        self._build(workflows, slots, options, may_beat)
        self.clock.observe(now)
        if former is not None:
            await self._succeed(former)
        await self._bury_siblings(space)
        await self._start(workflows)
        return self

    def _build(
        self,
        workflows: Mapping[str, Workflow[Any, Any]],
        slots: Mapping[Executor, int],
        options: EngineOptions,
        may_beat: Callable[[], bool],
    ) -> None:
        database = self._database
        self.clock = clock = DatabaseClock()
        self.store = NodeStore(database, self.fence)
        self.journal = Journal(
            [JournalStore(database.address, self.fence, f"journal {n}") for n in range(options.lanes)],
            on_fenced=self._declared,
        )
        self._build_runner(slots)
        self.orchestrator = Orchestrator(
            node=self.name,
            workflows=workflows,
            clock=clock,
            journal=self.journal,
            runner=self.runner,
            park_after=options.park_after,
            on_changed=self._hints.view,
            on_left=self._askers.left,
            on_mail=lambda: self.claimer.look_for_mail(),
            on_due=self._due,
            on_evicted=lambda _key: self.claimer.reconcile_soon(),
        )
        self.claimer = Claimer(
            self.store,
            self.orchestrator,
            clock,
            {name: workflow.digest for name, workflow in workflows.items()},
            capacity=options.capacity,
            poll=options.poll,
            on_fenced=self._declared,
            on_read=self._read,
        )
        self.logs = LogShipper(
            LogWriter(database.address, self.name),
            clock,
            owner=LogOwners(self.orchestrator.memory, self.runner),
            on_written=self._hints.view,
        )
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
            on_death=lambda death: self.heartbeat.tell(self._died, death),
        )
        self.heartbeat = Heartbeat(
            address,
            self.fence.number,
            lease=self.lease,
            observer=observer,
            every=options.heartbeat,
            on_beat=self._beaten,
            on_fenced=self._declared,
            on_expired=self._expired,
            may_beat=may_beat,
            load=lambda: load_of(self.orchestrator, self.runner),
        )

    def _build_runner(self, slots: Mapping[Executor, int]) -> None:
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
            on_long=lambda job, started_at: self.orchestrator.long_step(job, started_at),
            on_free=lambda executor: self.orchestrator.dispatcher.freed(executor),
            slots=slots,
            may_start=self.lease.allows,
            write_progress=self._write_progress,
            transactions=self.transactions,
            delete_progress=lambda steps: self.progress.delete(self.fence.number, steps),
        )

    async def _start(self, workflows: Mapping[str, Workflow[Any, Any]]) -> None:
        await self.journal.start()
        await self.progress.sweep()
        await self.store.wake_blocked([(name, workflow.digest) for name, workflow in workflows.items()])
        self._unlisten = [
            self._hints.listen("work", lambda _payload: self.claimer.look_for_work()),
            self._hints.listen(f"node.{self.fence.number}", lambda _payload: self.claimer.look_for_mail()),
        ]
        self.heartbeat.start()
        self.logs.start()
        self.claimer.start()
        self.runner.warm(collect(workflows=workflows.values()).steps.values())

    async def _bury_siblings(self, space: int) -> None:
        """Declare dead what died on this machine: its instances need not wait for a lease to run out."""
        rows = await self._database.fetch(
            "siblings", self.machine.boot_id, self.machine.home_id, self.fence.number, self.machine.host
        )
        dead = [row for row in rows if not row["same_boot"] or self.machine.is_dead(row["fence"])]
        for row in dead:
            death = await declare_dead(
                self._database.address, space, row["fence"], row["heartbeat"], by=self.fence.number
            )
            if death is not None:
                self._died(death)
            self.machine.forget(row["fence"])

    async def _succeed(self, former: Fence) -> None:
        """After this process's former incarnation: it is over, and nothing it ran has killed it."""
        address = self._database.address
        await declare_dead(
            address,
            former.space,
            former.number,
            None,
            by=self.fence.number,
            cause="expired",
            counts=False,
        )
        await absolve(address, former.number)
        self.machine.let_go(former.number)

    # -- what the client of this process asks ----------------------------------------------------------------------

    async def start_here(self, new: NewInstance) -> Verdict | None:
        """Start local-first; None if this engine does not serve the definition, is full, or ends meanwhile."""
        return await self._askers.start(new, self.orchestrator, self.claimer)

    async def ended_here(self, key: UUID) -> Ending | None:
        """Wait for an instance in this memory; None if it is not here, or leaves before its end."""
        return await self._askers.ended(key, self.orchestrator)

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
            "node %s died, %.1f s after its last sign of life: %d instances go on elsewhere",
            death.name,
            death.silent,
            death.instances,
        )
        self._hints.work()

    def _declared(self) -> None:
        self._over("was declared dead")

    def _expired(self) -> None:
        self._over(f"could not renew its lease of {self.lease.seconds:g} s")

    def _over(self, why: str) -> None:
        self.why = self.why or why
        self.fenced.set()

    def _read(self, histories: Mapping[UUID, History]) -> None:
        """Of instances that this node takes over: their steps go on where their last heartbeats were."""
        for key, history in histories.items():
            if history.heartbeats:
                self.runner.reports.remember(key, history.heartbeats)

    def _due(self) -> None:
        """Something is due, here or elsewhere."""
        self.claimer.look_for_work()
        self._hints.work()

    async def _write_progress(self, batch: Sequence[Said]) -> None:
        await self.progress.write(self.fence.number, batch)
        for said in batch:
            self._hints.view(said.instance)

    # -- the end -----------------------------------------------------------------------------------------------------

    async def stop(self, grace: float) -> None:
        """A clean stop: bodies get `grace` seconds, everything else is handed over at once."""
        await self.claimer.stop()
        self.orchestrator.dispatcher.close()
        await self.runner.stop(grace)
        self.transactions.close()
        await self.journal.stop()
        await self.logs.stop()
        self._drop()
        try:
            await self.store.release()
            self.machine.let_go(self.fence.number)
        except TROUBLE as error:
            log.warning("node %d could not say that it stops: %s", self.fence.number, error)
        self.store.close()
        self._hints.work()
        await self.heartbeat.stop()
        await self.resources.aclose()

    def abandon(self) -> None:
        """Drop everything at once, as a crash would."""
        self.claimer.abandon()
        self.transactions.close()
        self.journal.abandon()
        self.heartbeat.abandon()
        self.logs.abandon()
        self._drop()
        self.store.close()
        self.runner.abandon()

    def _drop(self) -> None:
        for unlisten in self._unlisten:
            unlisten()
        self._unlisten = []
        # Workflow code is closed where it runs: in a plain callback.
        asyncio.get_running_loop().call_soon(self.orchestrator.close)
        self._askers.dismiss()
