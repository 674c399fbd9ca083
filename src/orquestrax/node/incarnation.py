"""One incarnation of a node: everything that belongs to one fence, from registration to its end.

Services in the order of starting: record lock, journal, step runner, orchestrator, claimer, heartbeat. They stop in
the reverse order; `abandon` drops them all at once, as a crash would, which is also what happens to an incarnation
that was declared dead.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from orquestrax.base.clock import DatabaseClock
from orquestrax.client.views import Ending
from orquestrax.cluster.heartbeat import Heartbeat
from orquestrax.cluster.machine import Machine
from orquestrax.core.claimer import TROUBLE, Claimer
from orquestrax.core.journal import Journal
from orquestrax.core.orchestrator import Orchestrator
from orquestrax.core.store.database import Database
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.logs import LogWriter
from orquestrax.core.store.nodeverbs import NodeStore, declare_dead, register_node
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
from orquestrax.worker.transactions.service import Transactions

log = logging.getLogger(__name__)


class Incarnation:
    """Made by `Incarnation.begin`. `fenced` is set when it was declared dead."""

    def __init__(
        self, fence: Fence, name: str, database: Database, hints: Hints, machine: Machine, askers: Askers
    ) -> None:
        self._askers = askers
        self.fence, self.name, self.machine = fence, name, machine
        self.fenced = asyncio.Event()
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
    ) -> Incarnation:
        """Register, take over what dead siblings on this machine held, and start to work."""
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
            lease=10.0,
            python="",
            code=announced(workflows),
        )
        machine.hold(fence_number)
        space = await database.lock_space()
        name = f"{machine.host}-{fence_number}"
        self = cls(Fence(space, fence_number), name, database, hints, machine, Askers(on_ended))
        self._build(workflows, slots, options, may_beat)
        self.clock.observe(now)
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
        self.journal = Journal(database.address, self.fence, lanes=options.lanes, on_fenced=self.fenced.set)
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
            on_evicted=lambda _key: self.claimer.reconcile_soon(),
        )
        self.claimer = Claimer(
            self.store,
            self.orchestrator,
            clock,
            {name: workflow.digest for name, workflow in workflows.items()},
            capacity=options.capacity,
            poll=options.poll,
            on_fenced=self.fenced.set,
            on_read=self._read,
        )
        self.logs = LogShipper(
            LogWriter(database.address, self.name),
            clock,
            owner=LogOwners(self.orchestrator.memory, self.runner),
            on_written=self._hints.view,
        )
        self.heartbeat = Heartbeat(
            database.address,
            self.fence.number,
            every=options.heartbeat,
            on_beat=clock.observe,
            on_fenced=self.fenced.set,
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
            if await declare_dead(self._database.address, space, row["fence"], row["heartbeat"]):
                log.info("node %s died: what it held goes on here", row["name"])
            self.machine.forget(row["fence"])

    # -- what the client of this process asks ----------------------------------------------------------------------

    async def start_here(self, new: NewInstance) -> Verdict | None:
        """Start local-first; None if this engine does not serve the definition, is full, or ends meanwhile."""
        return await self._askers.start(new, self.orchestrator, self.claimer)

    async def ended_here(self, key: UUID) -> Ending | None:
        """Wait for an instance in this memory; None if it is not here, or leaves before its end."""
        return await self._askers.ended(key, self.orchestrator)

    # -- what its services tell it ---------------------------------------------------------------------------------

    def _read(self, histories: Mapping[UUID, History]) -> None:
        """Of instances that this node takes over: their steps go on where their last heartbeats were."""
        for key, history in histories.items():
            if history.heartbeats:
                self.runner.reports.remember(key, history.heartbeats)

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
