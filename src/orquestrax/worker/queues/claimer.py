"""Takes tasks from the cluster's queues for free slots, and keeps what this node holds and the database in agreement.

It looks when a hint says so, when a slot frees while more is known to wait, and every `poll` seconds anyway.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from orquestrax.base.errors import Fenced, OrquestraxError
from orquestrax.core.dispatcher import Dispatcher
from orquestrax.core.store.database import CONNECTION_LOST
from orquestrax.core.store.taskverbs import TaskStore
from orquestrax.model.jobs import BodyKey
from orquestrax.model.options import Executor
from orquestrax.model.queues import NONE
from orquestrax.model.tasks import ClaimedTask
from orquestrax.worker.queues.pace import Pace

log = logging.getLogger(__name__)
BATCH: Final = 500  # tasks of one executor in one claim
FAILED: Final = 100
TROUBLE: Final = (*CONNECTION_LOST, OrquestraxError, TimeoutError, asyncpg.PostgresError)


class QueueClaimer:
    """One loop over a store of its own.

    slots      how many bodies run here at once, by executor
    steps      names of the steps whose code is here
    held       the attempts that this node has; whose it is to keep them is the service's
    suspects   instances here that may have ended the nodes before: two of them at most
    on_tasks   takes what was claimed
    on_gone    the task is not this node's any more, or nobody waits for it
    on_shared  what waits here may go to others, who did not serve its queue before or are quicker than was expected
    """

    def __init__(
        self,
        store: TaskStore,
        dispatcher: Dispatcher,
        *,
        slots: Mapping[Executor, int],
        steps: Collection[str],
        held: Mapping[BodyKey, ClaimedTask],
        poll: float,
        on_tasks: Callable[[Sequence[ClaimedTask]], None],
        on_gone: Callable[[BodyKey], None],
        on_shared: Callable[[], None],
        on_fenced: Callable[[], None],
        suspects: Callable[[], Sequence[UUID]],
    ) -> None:
        self._suspects = suspects
        self._store, self._dispatcher, self._held = store, dispatcher, held
        self._slots, self._steps, self._poll = dict(slots), list(steps), poll
        self._on_tasks, self._on_gone = on_tasks, on_gone
        self._on_shared, self._on_fenced = on_shared, on_fenced
        loop = asyncio.get_running_loop()
        self._paces = {executor: Pace(loop.time()) for executor in self._slots}
        self._wake, self._look_at = asyncio.Event(), 0.0
        self._more = dispatcher.more
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._repeat(), name="task claimer")

    def look(self) -> None:
        """A hint: there are steps to take."""
        self._more.update(self._slots)
        self._wake.set()

    def look_all_over(self) -> None:
        """A hint: steps that this node may hold are not waited for any more."""
        self._look_at = 0.0
        self._wake.set()

    def freed(self, executor: Executor) -> None:
        """A slot is free."""
        pace = self._paces[executor]
        pace.ended()
        ahead = pace.ahead(BATCH)
        if self._dispatcher.room_for_claims(executor) + ahead > ahead // 2:
            self._wake.set()

    async def stop(self) -> None:
        """Finish the round under way."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def abandon(self) -> None:
        """Cut everything at once."""
        self._stopping = True
        self._store.close()
        if self._task is not None:
            self._task.cancel()

    async def _repeat(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                await self._round()
            except Fenced:
                self._on_fenced()
                return
            except TROUBLE as error:
                log.warning("%s", error)
            except Exception:
                log.exception("the claim of tasks failed")
            try:
                async with asyncio.timeout(self._poll):
                    await self._wake.wait()
            except TimeoutError:
                self._more.update(self._slots)

    async def _round(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._look_at:
            self._look_at = now + self._poll
            if self._dispatcher.peers.observe(await self._store.peers()) or self._dispatcher.late:
                self._on_shared()
            self._on_tasks(await self._store.claim_failed(FAILED))
            await self._compare()
        while self._more and not self._stopping:
            free = self._free()
            if not free or not await self._claim(free):
                return

    def _free(self) -> dict[Executor, int]:
        """How many tasks to take, by executor."""
        served = self._dispatcher.peers.served
        if not self._steps or served == NONE:
            return {}
        found: dict[Executor, int] = {}
        for executor in self._more:
            ahead = self._paces[executor].ahead(BATCH)
            wanted = self._dispatcher.room_for_claims(executor) + ahead
            if wanted > 0:
                found[executor] = min(wanted, BATCH)
        return found

    async def _claim(self, free: dict[Executor, int]) -> bool:
        """Take that many; whether to go on at once. `_more` says whether to go on when a slot frees."""
        served, loop = self._dispatcher.peers.served, asyncio.get_running_loop()
        narrow = {queue: max(0, self._dispatcher.places(queue) or 0) for queue in served.limits}
        self._more.difference_update(
            free
        )  # before the look: a hint that comes meanwhile is about what it missed
        began = loop.time()
        reserved = self._reserve(free)
        try:
            tasks = await self._store.claim(free, self._steps, served.names, narrow, self._suspects())
        finally:
            self._dispatcher.reserved.subtract(reserved)
        for executor in free:
            self._paces[executor].claimed(began, loop.time())
        self._on_tasks(tasks)
        if taken_over := Counter(task.lost_worker for task in tasks if task.lost_worker is not None):
            await self._store.took_over(taken_over)
        await asyncio.sleep(0)  # they have taken their slots by then
        taken, of_queue = Counter(t.executor for t in tasks), Counter(t.queue for t in tasks)
        held_up = any(of_queue[queue] >= places for queue, places in narrow.items())
        full = {executor for executor, asked in free.items() if taken[executor] >= asked}
        self._more.update(free if held_up else full)
        return bool(full) or (held_up and bool(tasks))

    def _reserve(self, free: Mapping[Executor, int]) -> Counter[Executor]:
        """While more is known to wait, steps of instances here do not overtake those of the queue."""
        kept = {executor: max(0, min(n, self._dispatcher.room(executor))) for executor, n in free.items()}
        reserved: Counter[Executor] = Counter(kept if self._held else {})
        self._dispatcher.reserved.update(reserved)
        return reserved

    async def _compare(self) -> None:
        """Give up what is not this node's any more; give back what it does not know."""
        before = {key: task.attempt for key, task in self._held.items()}
        there = await self._store.held()
        for key, attempt in before.items():
            if there.get(key, (None,))[0] != attempt and key in self._held:
                self._on_gone(key)
        strange = {
            key: taken_at
            for key, (_, taken_at) in there.items()
            if key not in before and key not in self._held
        }
        if strange:
            log.warning("%d tasks are this node's and were never begun: they wait again", len(strange))
            await self._store.give_back(strange)
