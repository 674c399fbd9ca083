"""The journal: group commit.

Turns of thousands of instances gather here and are written in batches, one transaction each. An idle journal writes
the first turn at once; a busy one writes next what gathered during the last write. A few lanes, each with a held
connection and a queue of its own, share the instances by key, so there are never two batches of one instance at once.

How it fails: what the database refuses is rolled back, halved and sent again, until the offender stands alone and
gets the verdict FAULT; the others never notice. When a connection dies or overruns its deadline the outcome is
unknown: the lane takes the node's own fence exclusively, so that an old backend that may still be about to commit
has ended, reads what is there, and goes on from that. It never guesses and never writes blindly again.
Behind a write that was refused no other write of that instance is made: its history would have a gap.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from orquestrax.base.errors import Fenced, OrquestraxError
from orquestrax.core.store.journalverbs import REFUSED, Found, JournalStore
from orquestrax.model.rows import Verdict, Write

log = logging.getLogger(__name__)
BATCH_ROWS: Final = 500
REFUSALS: Final = frozenset({Verdict.LOST, Verdict.TAKEN, Verdict.FAULT})
RECONNECT: Final = 0.25  # seconds between attempts to reach the database again


class Journal:
    """Takes writes in order per instance, and tells each one's verdict after the commit. One lane for each store."""

    def __init__(self, stores: Iterable[JournalStore], *, on_fenced: Callable[[], None]) -> None:
        self._lanes = [Lane(store, on_fenced) for store in stores]

    async def start(self) -> None:
        """Open the connections and begin to write."""
        await asyncio.gather(*(lane.start() for lane in self._lanes))

    def submit(self, write: Write) -> None:
        """Queue a write; `write.done(write, verdict)` is called from a plain callback of the loop."""
        self._lanes[write.key.int % len(self._lanes)].submit(write)

    async def stop(self) -> None:
        """Write what is queued, then let go of the connections."""
        await asyncio.gather(*(lane.stop() for lane in self._lanes))

    def abandon(self) -> None:
        """Cut everything at once, as a crash would: nothing more is written or told."""
        for lane in self._lanes:
            lane.abandon()

    @property
    def commits(self) -> int:
        """Transactions committed so far."""
        return sum(lane.commits for lane in self._lanes)

    @property
    def backlog(self) -> int:
        """Writes that wait for their batch."""
        return sum(len(lane.queue) for lane in self._lanes)


class Lane:
    """One connection, one queue, one batch at a time."""

    def __init__(self, store: JournalStore, on_fenced: Callable[[], None]) -> None:
        self._store, self.name = store, store.name
        self.queue: deque[Write] = deque()
        self.commits = 0
        self._on_fenced = on_fenced
        self._refused = set[UUID]()
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._store.connect()
        self._task = asyncio.create_task(self._run(), name=self.name)

    def submit(self, write: Write) -> None:
        if not self.queue:
            self._wake.set()
        self.queue.append(write)

    async def stop(self) -> None:
        """Write what is queued; where the database does not answer any more, leave it to a successor."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            done, _ = await asyncio.wait({self._task}, timeout=self._store.deadline)
            if not done:
                log.warning("%s: %d writes are left unwritten", self.name, len(self.queue))
                self.abandon()
        self._store.drop()

    def abandon(self) -> None:
        self._stopping = True
        self.queue.clear()
        self._store.drop()  # first: a cancelled statement would send a cancel request
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            if not self.queue:
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            try:
                await self._settle(self._collect())
            except Fenced:
                self.queue.clear()
                self._on_fenced()
                return

    def _collect(self) -> list[Write]:
        """The next batch: in order, bounded, and nothing behind a start or a change of the same instance."""
        batch: list[Write] = []
        rows, closed = 0, set[UUID]()
        later: list[Write] = []
        while self.queue and rows < BATCH_ROWS:
            write = self.queue.popleft()
            if closed and write.key in closed:
                later.append(write)
                continue
            write.taken = True
            batch.append(write)
            rows += len(write.events) + len(write.tasks)
            if write.change is not None or write.start is not None:
                rows += 1
                closed.add(write.key)
        self.queue.extendleft(reversed(later))
        return batch

    async def _settle(self, batch: list[Write]) -> None:
        """Write the batch to a definite end, and tell each write what became of it."""
        batch = self._without_followers(batch)
        if not batch:
            return
        try:
            if not self._store.connected:
                await self._reach_database()
            verdicts = await self._store.write(batch)
        except REFUSED as error:
            lost = isinstance(error, asyncpg.PostgresConnectionError)  # then it was the driver that answered
            if not lost and await self._store.rolled_back():
                await self._halve(batch, error)
            else:
                await self._settle_unknown(batch, error)
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the outcome is unknown and gets resolved
            await self._settle_unknown(batch, error)
        else:
            self.commits += 1
            self._tell(batch, verdicts)

    def _without_followers(self, batch: list[Write]) -> list[Write]:
        """Leave out what would follow a refused write of the same instance."""
        if not self._refused:
            return batch
        followers = [write for write in batch if write.key in self._refused]
        self._tell(followers, [Verdict.LOST] * len(followers))
        return [write for write in batch if write.key not in self._refused]

    async def _halve(self, batch: list[Write], error: Exception) -> None:
        """Isolate the offender, so that one bad instance never stalls the others."""
        if len(batch) == 1:
            log.error("the database refuses a turn of instance %s: %s", batch[0].key, error)
            self._tell(batch, [Verdict.FAULT])
            return
        middle = len(batch) // 2
        await self._settle(batch[:middle])
        await self._settle(batch[middle:])

    async def _settle_unknown(self, batch: list[Write], error: Exception) -> None:
        log.warning(
            "%s: the outcome of a batch of %d is unknown (%r); reading what is there",
            self.name,
            len(batch),
            error,
        )
        self._store.drop()
        rows, me = await self._what_is_there(batch), self._store.fence.number
        done, missing, overtaken = list[Write](), list[Write](), list[Write]()
        for write in batch:
            row = rows.get(write.key)
            if _is_overtaken(write, row, me):
                overtaken.append(write)
            else:
                (done if _is_written(write, row, me) else missing).append(write)
        self._tell(done, [Verdict.COMMITTED] * len(done))
        self._tell(overtaken, [Verdict.LOST] * len(overtaken))
        if missing:
            await self._settle(missing)

    async def _what_is_there(self, batch: Sequence[Write]) -> dict[UUID, Found]:
        """The rows of a batch, as often as it takes to read them."""
        keys = [write.key for write in batch]
        while True:
            await self._reach_database()
            try:
                return await self._store.what_is_there(keys)
            except Fenced:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing is known yet
                log.warning("%s: cannot read the outcome yet: %s", self.name, error)
                self._store.drop()
                await asyncio.sleep(RECONNECT)

    async def _reach_database(self) -> None:
        """Connect, however long that takes: an outage ends without anybody's help."""
        while True:
            try:
                return await self._store.connect()
            except OrquestraxError as error:
                log.warning("%s: %s", self.name, error)
                await asyncio.sleep(RECONNECT)

    def _tell(self, batch: Sequence[Write], verdicts: Sequence[Verdict]) -> None:
        """From a plain callback: what follows may run workflow code, which must not run inside a Task."""
        told = list(zip(batch, verdicts, strict=True))
        if verdicts.count(Verdict.COMMITTED) < len(verdicts):
            self._refused.update(write.key for write, verdict in told if verdict in REFUSALS)
        asyncio.get_running_loop().call_soon(self._tell_all, told)

    def _tell_all(self, told: list[tuple[Write, Verdict]]) -> None:
        """Whoever is told of a refusal drops the instance; what it has queued before goes too."""
        for write, verdict in told:
            write.done(write, verdict)
            if self._refused and verdict in REFUSALS and write.key in self._refused:
                self._refused.discard(write.key)
                followers = [other for other in self.queue if other.key == write.key]
                self.queue = deque(other for other in self.queue if other.key != write.key)
                for follower in followers:
                    follower.done(follower, Verdict.LOST)


def _is_overtaken(write: Write, row: Found | None, me: int) -> bool:
    """Whether this release held, others went on from it, and the row has come back to me since.

    What is in memory is behind the history then. Where nobody went on it still is what the history says.
    """
    if row is None or row.owner != me or write.change is None or not write.change.release:
        return False
    last = write.events[-1].seq if write.events else write.seq
    return 0 < last < row.seq


def _is_written(write: Write, row: Found | None, me: int) -> bool:
    """Whether a write of unknown outcome is in the database, judged by what only it can have left there.

    A row that is not mine was released by this write, whoever has claimed it since.
    """
    if row is None:
        return False
    released = write.change is not None and write.change.release and row.owner != me
    if write.events:
        written = row.seq >= write.events[-1].seq
        write.parked = written and released
        return written
    write.parked = released
    return write.start is not None or released
