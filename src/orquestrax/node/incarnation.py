"""One incarnation of a node: everything that belongs to one fence, from registration to its end.

Services in the order of starting: record lock, journal, step runner, orchestrator, claimer, heartbeat, upkeep. They
stop in the reverse order; `abandon` drops them all at once, as a crash would, which is also what happens to an
incarnation that was declared dead or could not renew its lease. Whoever comes back after that is another incarnation:
it declares its former self dead, which nobody has to wait for, and takes back what the instances were suspected of
meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from orquestrax.client.views import Ending
from orquestrax.cluster.lease import Lease
from orquestrax.cluster.machine import Machine
from orquestrax.core.claimer import TROUBLE
from orquestrax.core.store.database import Database
from orquestrax.core.store.deaths import absolve, declare_dead
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.nodeverbs import NodeStore, register_node
from orquestrax.model.queues import NONE
from orquestrax.model.rows import NewInstance, Verdict
from orquestrax.node.announcing import announced
from orquestrax.node.askers import Askers
from orquestrax.node.options import EngineOptions
from orquestrax.node.part import Part
from orquestrax.node.services import Services

log = logging.getLogger(__name__)


class Incarnation(Services):
    """Made by `Incarnation.begin`."""

    @classmethod
    async def begin(
        cls,
        *,
        database: Database,
        hints: Hints,
        machine: Machine,
        part: Part,
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
        row = {
            "name": machine.host,
            "host": machine.host,
            "boot_id": machine.boot_id,
            "home_id": machine.home_id,
            "pid": os.getpid(),
            "roles": list(part.roles),
            "queues": part.served.shown,
            "definitions": sorted(part.workflows),
            "slots": msgspec.json.encode(dict(part.slots)).decode(),
            "release": release,
            "lease": options.lease,
            "python": platform.python_version(),
            "code": announced(part.workflows),
        }
        space = await database.lock_space()
        fence_number, now = await _registered(database, space, row)
        machine.hold(fence_number)
        name = f"{machine.host}-{fence_number}"
        self = cls(Fence(space, fence_number), name, database, hints, machine, lease, Askers(on_ended))
        self.build(part, options, may_beat)
        self.clock.observe(now)
        try:
            if former is not None:
                await self._succeed(former)
            await self._bury_siblings(space)
            await self._start()
        except BaseException:
            await self._withdraw()
            raise
        return self

    async def _start(self) -> None:
        workflows = self.part.workflows
        if self.part.owns:
            await self.journal.start()
        await self.store.wake_blocked([(name, workflow.digest) for name, workflow in workflows.items()])
        self._unlisten = [
            self._hints.listen("work", lambda _payload: self.claimer.look_for_work()),
            self._hints.listen("orders", lambda _payload: self.claimer.look_for_orders()),
            self._hints.listen(f"node.{self.fence.number}", lambda _payload: self.claimer.look_for_mail()),
            self._hints.listen("tasks", lambda _payload: self.queues.claimer.look()),
            self._hints.listen("gone", lambda _payload: self.queues.claimer.look_all_over()),
        ]
        self.heartbeat.start()
        self.logs.start()
        if self.part.owns:
            self.claimer.start()
        self.queues.start()
        if self.part.served != NONE:
            self.runner.warm(self.part.steps.values())
        self.upkeep.start()

    async def _withdraw(self) -> None:
        """Told to end, or failed, before it came to work."""
        self.abandon()
        await _say_stopped(self._database, self.fence)
        self.machine.let_go(self.fence.number)

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
            if death is not None:  # no news to whoever has started it again
                log.info("node %s died: what it held goes on here", death.name)
                self._hints.work()
                self._hints.tasks()
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

    def start_here(self, new: NewInstance) -> Awaitable[Verdict | None]:
        """Start local-first; None if this engine does not serve the definition, is full, or ends meanwhile."""
        return self._askers.start(new, self.orchestrator, self.claimer)

    def ended_here(self, key: UUID) -> Awaitable[Ending | None]:
        """Wait for an instance in this memory; None if it is not here, or leaves before its end."""
        return self._askers.ended(key, self.orchestrator)

    # -- the end -----------------------------------------------------------------------------------------------------

    async def stop(self, grace: float) -> None:
        """A clean stop: bodies get `grace` seconds, everything else is handed over at once."""
        await self.upkeep.stop()
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        await self._drain(grace)
        await self.claimer.stop()
        await self.runner.stop(max(0.0, until - loop.time()))  # for what was taken from queues
        self.transactions.close()
        await self.queues.stop(self._database.address.deadline)
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

    async def _stop_taking(self) -> None:
        try:
            await self.queues.stop_taking()
        except TROUBLE as error:
            log.warning("steps that were taken from the queues are given back at the end: %s", error)

    async def _drain(self, grace: float) -> None:
        """Take and start nothing more; each instance leaves as soon as no body of it runs here."""
        try:
            await self._database.fetch("drain_nodes", [self.fence.number], None)
        except TROUBLE as error:
            log.warning("%s could not say that it drains: %s", self.name, error)
        await self._stop_taking()
        await self.claimer.drain()
        draining = asyncio.get_running_loop().create_future()
        # Turns are taken in plain callbacks.
        asyncio.get_running_loop().call_soon(lambda: draining.set_result(self.orchestrator.drain()))
        await draining
        await self.orchestrator.memory.until_empty(grace)

    def abandon(self) -> None:
        """Drop everything at once, as a crash would."""
        self.upkeep.abandon()
        self.claimer.abandon()
        self.queues.abandon()
        self.transactions.close()
        self.journal.abandon()
        self.heartbeat.abandon()
        self.logs.abandon()
        self._drop()
        self.store.close()
        self.runner.abandon()

    async def retire(self) -> None:
        """After `abandon`, in a process that goes on: what its bodies used is closed behind them."""
        try:
            await self.runner.ended()
            await self.resources.aclose()
        except Exception:
            log.exception("what the steps of %s used could not be closed", self.name)

    def _drop(self) -> None:
        for unlisten in self._unlisten:
            unlisten()
        self._unlisten = []
        # Workflow code is closed where it runs: in a plain callback.
        asyncio.get_running_loop().call_soon(self.orchestrator.close)
        self._askers.dismiss()


async def _registered(database: Database, space: int, columns: Mapping[str, Any]) -> tuple[int, int]:
    """Insert the row; told to end meanwhile, it says in it that it has. Returns the fence and the database's time."""
    registering = asyncio.create_task(register_node(database, **columns), name="register")
    try:
        return await asyncio.shield(registering)
    except asyncio.CancelledError:
        await asyncio.wait([registering])
        if registering.exception() is None:
            await _say_stopped(database, Fence(space, registering.result()[0]))
        raise


async def _say_stopped(database: Database, fence: Fence) -> None:
    """An incarnation that nothing drives any more: nobody need wait for its lease to run out."""
    store = NodeStore(database, fence)
    try:
        await store.release()
    except TROUBLE as error:
        log.warning("node %d could not say that it stops: %s", fence.number, error)
    finally:
        store.close()
