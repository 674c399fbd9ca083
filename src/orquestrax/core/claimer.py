"""The claimer: takes what is due for this node, and reads its mail.

It looks when a hint says so and every `poll` seconds anyway: the poll is the truth. Claims follow free capacity, and
a part of it is kept for lane 0 (what was already under way), so that a backlog of starts never delays a timer. Suspects
(see `suspects`) are in a lane of their own, and come one at a time.

A hint wakes every node, and all but one of them look in vain. So one that has looked in vain follows the next hints a
little later, and finds what is left then, if anything is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final
from uuid import UUID

import asyncpg

from orquestrax.base.clock import DatabaseClock
from orquestrax.base.errors import Fenced, OrquestraxError
from orquestrax.core.adopting import Adopting
from orquestrax.core.orchestrator import Orchestrator
from orquestrax.core.store.database import CONNECTION_LOST
from orquestrax.core.store.nodeverbs import NodeStore
from orquestrax.core.suspects import ALONE, Suspects
from orquestrax.core.takeovers import Takeovers
from orquestrax.model.rows import History

log = logging.getLogger(__name__)
BATCH: Final = 200  # instances in one claim: replay is bounded, so that a node cannot drown
RESERVE: Final = 0.1  # of the capacity, for lane 0
RECONCILE: Final = 30.0
SPACING: Final = 0.005  # seconds between two rounds at least: what is hinted meanwhile is one round's
MOST_VAIN: Final = 2  # rounds in vain, each of which doubles that
TROUBLE: Final = (*CONNECTION_LOST, OrquestraxError, TimeoutError, asyncpg.PostgresError)


class Claimer:
    """Two loops over one store: due instances, and mail. `definitions` are digests of the code here by name.

    `tries_step()` says whether a step of the queues runs here that is under suspicion.
    """

    def __init__(
        self,
        store: NodeStore,
        orchestrator: Orchestrator,
        clock: DatabaseClock,
        definitions: Mapping[str, str],
        *,
        capacity: int = 10_000,
        poll: float = 1.0,
        on_fenced: Callable[[], None],
        on_read: Callable[[Mapping[UUID, History]], None] = lambda _histories: None,
        tries_step: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store, self._orchestrator, self._clock = store, orchestrator, clock
        self._definitions, self._capacity, self._poll = dict(definitions), capacity, poll
        # Another node may have blocked an instance just as this one registered: asked for once more, a little later.
        self._still_to_wake = list(definitions.items())
        self._on_fenced, self._tries_step = on_fenced, tries_step
        clock_ = asyncio.get_running_loop().time
        self.suspects = Suspects(orchestrator.memory, clock_)
        self._takeovers = Takeovers(store, clock_, every=poll)
        self._adopting = Adopting(
            store, orchestrator, self._takeovers, on_read=on_read, on_adopted=self.suspects.add
        )
        self._due, self._mail = asyncio.Event(), asyncio.Event()
        self._reconcile_at = self._rare_at = 0.0
        self._ordered, self._vain, self._mail_seen = False, 0, 0
        self._stopping = self._draining = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look, also anew after a stop."""
        loop = asyncio.get_running_loop()
        self._stopping = self._draining = False
        self._reconcile_at = loop.time() + RECONCILE
        for round_, event in ((self._claim_round, self._due), (self._mail_round, self._mail)):
            self._tasks.append(
                asyncio.create_task(self._repeat(round_, event), name=round_.__name__.strip("_"))
            )

    def look_for_work(self) -> None:
        """A hint: something became due."""
        self._due.set()

    def look_for_orders(self) -> None:
        """A hint: there are orders to instances without an owner."""
        self._ordered = True
        self._due.set()

    def look_for_mail(self) -> None:
        """A hint: there is mail."""
        self._mail.set()

    def reconcile_soon(self) -> None:
        """Something of mine is not in memory: compare soon."""
        self._reconcile_at = min(self._reconcile_at, asyncio.get_running_loop().time() + 1.0)

    @property
    def free(self) -> int:
        """How many more instances fit into memory."""
        held = len(self._orchestrator.memory.executions) + self._adopting.ahead
        return 0 if self._draining else max(0, self._capacity - held)

    async def drain(self) -> None:
        """Claim nothing more; mail is still read."""
        self._draining = True
        self._due.set()
        await asyncio.gather(*self._tasks[:1], return_exceptions=True)
        await self._adopting.settle()

    async def stop(self) -> None:
        """Finish the rounds under way; a write is never cancelled."""
        self._stopping = self._draining = True
        self._due.set()
        self._mail.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._adopting.settle()

    def abandon(self) -> None:
        """Cut everything at once."""
        self._stopping = self._draining = True
        self._store.close()  # first: a cancelled statement would send a cancel request
        self._adopting.abandon()
        for task in self._tasks:
            task.cancel()

    async def _repeat(self, round_: Callable[[], object], event: asyncio.Event) -> None:
        while not (self._stopping or (self._draining and event is self._due)):
            event.clear()
            began = asyncio.get_running_loop().time()
            try:
                await round_()  # type: ignore[misc]
            except Fenced:
                self._on_fenced()
                return
            except TROUBLE as error:
                log.warning("%s", error)
                self.reconcile_soon()
            except Exception:
                # A node whose claimer has ended beats on and does nothing: worse than one that says this each poll.
                log.exception("the %s failed", round_.__name__.strip("_"))
                self.reconcile_soon()
            await self._next(event, began)

    async def _next(self, event: asyncio.Event, began: float) -> None:
        """Wait for the next hint, or poll; not too soon after the round that began then."""
        loop = asyncio.get_running_loop()
        spacing = SPACING * 2**self._vain if event is self._due else SPACING
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll):
                await event.wait()
        if not (self._stopping or self._draining):
            await asyncio.sleep(max(0.0, began + spacing - loop.time()))

    async def _claim_round(self) -> None:
        mail_seen, found = self._mail_seen, 0
        if self._ordered or asyncio.get_running_loop().time() >= self._rare_at:
            self._ordered = False
            found = await self._adopting.take(await self._store.claim_orders(BATCH))
        full = True
        while full and not self._draining:
            taken, full = await self._claim()
            found += taken
            await self._now_and_then()
        await self._adopting.settle()
        await self._takeovers.write()
        self._vain = 0 if found else min(MOST_VAIN, self._vain + 1)
        if found and mail_seen != self._mail_seen:
            self._mail.set()  # what was read meanwhile may have been for those that were not here yet
        if asyncio.get_running_loop().time() >= self._reconcile_at:
            await self._reconcile()

    async def _claim(self) -> tuple[int, bool]:
        """One batch, of lane 0 first, then of starts as far as they leave room; how many came, and if more may."""
        places = self.free
        room = {0: min(BATCH, places), 1: min(BATCH, places - int(self._capacity * RESERVE))}
        room = {lane: most for lane, most in room.items() if most > 0}
        if not room:
            return 0, False
        rows = await self._store.claim(self._definitions, room)
        return await self._adopting.take(rows), len(rows) >= BATCH

    async def _now_and_then(self) -> None:
        """Once in a poll, whatever the hints say: nothing hints that time has passed."""
        now = asyncio.get_running_loop().time()
        if now >= self._rare_at:
            self._rare_at = now + self._poll
            await self._adopting.take(await self._store.claim_overdue(BATCH))
            await self._take_suspect()

    async def _take_suspect(self) -> None:
        """One that runs alone, if nothing else here is under suspicion."""
        await self._adopting.settle()  # those of the batch that is still being rebuilt count
        if (outlived := self.suspects.outlived(BATCH)) and not self._draining:
            await self._store.clear_suspicion(outlived)
        if self.free and not self.suspects and not self._tries_step() and not self._draining:
            await self._adopting.take(await self._store.claim_due(self._definitions, ALONE, 1))
            await self._adopting.settle()

    async def _mail_round(self) -> None:
        messages, now = await self._store.mail()
        if now is not None:
            self._clock.observe(now)
        if messages:
            self._mail_seen += 1
            asyncio.get_running_loop().call_soon(self._orchestrator.mail, messages)

    async def _reconcile(self) -> None:
        """Every row that says it is mine and is not in memory comes back into it."""
        self._reconcile_at = asyncio.get_running_loop().time() + RECONCILE
        with self._orchestrator.memory.watching() as moved:
            rows = await self._store.owned()
            missing = [
                row
                for row in rows
                if row.key not in moved and row.key not in self._orchestrator.memory.executions
            ]
            missing = missing[: self.free]
            for first in range(0, len(missing), BATCH):
                await self._adopting.take(missing[first : first + BATCH])
            await self._adopting.settle()
        if self._still_to_wake:
            await self._store.wake_blocked(self._still_to_wake)
            self._still_to_wake = []
