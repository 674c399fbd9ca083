"""Between processes and database: sessions, latency, lost answers, and the locks of the fence.

A transaction of a node takes two round trips: it begins (the fence is locked), and it does its work and commits at one
moment. A process may be frozen, cut off or killed between the two, or with either of them on its way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from tests.simulation.trace import Trace
from tests.simulation.witness import Witnesses
from tests.simulation.world import World

IDLE: Final = 3.0  # idle_in_transaction_session_timeout
PATIENCE: Final = 2.0  # lock_timeout
REFUSABLE: Final = ("write", "complete_tasks")
Reply = Callable[[Any], None]


@dataclass(eq=False)
class Session:
    """One connection, as the server sees it. `lock` is the fence that its open transaction holds."""

    process: str
    alive: bool = True
    lock: Lock | None = None
    snapshot: bool = True
    busy: bool = False
    transaction: int = 0


@dataclass(eq=False)
class Lock:
    """The advisory lock of one fence."""

    exclusive: Session | None = None
    shared: dict[Session, None] = field(default_factory=dict)
    waiting: deque[tuple[Session, bool, Callable[[], None]]] = field(default_factory=deque)

    def free_for(self, *, exclusive: bool) -> bool:
        return self.exclusive is None and not (exclusive and self.shared)


class Server:
    """Runs what arrives. `pace()` is how long a transaction takes on the server.

    fence_rule  what mutants take away: sound, none, snapshot (lock and check in one statement)
    """

    fence_rule = "sound"

    def __init__(self, world: World, database: Any, trace: Trace, pace: Callable[[], float]) -> None:
        self.world, self.database, self.trace, self.pace = world, database, trace, pace
        self.refusing = 0.0
        self.refused: set[Any] = set()
        self.witnesses = Witnesses(self._alive)
        self.on_exclusive: Callable[[int], None] = lambda _fence: None
        self._locks: dict[int, Lock] = {}

    # -- transactions of nodes --

    def begin(self, session: Session, fence: int, *, exclusive: bool, reply: Reply) -> None:
        """Lock the fence; an answer comes when it is had."""
        lock = self._locks.setdefault(fence, Lock())
        if self.fence_rule != "sound":
            session.snapshot = self.fence_rule == "none" or self._alive(fence)
        if self.fence_rule == "none":
            reply(None)
        elif not lock.waiting and lock.free_for(exclusive=exclusive):
            self._granted(session, fence, exclusive=exclusive, reply=reply)
        else:
            self._wait(session, fence, exclusive=exclusive, reply=reply)

    def _wait(self, session: Session, fence: int, *, exclusive: bool, reply: Reply) -> None:
        lock = self._locks[fence]
        session.busy = True

        def granted() -> None:
            session.busy = False
            self._granted(session, fence, exclusive=exclusive, reply=reply)

        def impatient() -> None:
            if place in lock.waiting:
                lock.waiting.remove(place)
                session.busy = False
                reply(asyncpg.LockNotAvailableError("canceling statement due to lock timeout"))
                self._next(fence)

        place = (session, exclusive, granted)
        lock.waiting.append(place)
        self.world.after(PATIENCE, impatient)

    def _granted(self, session: Session, fence: int, *, exclusive: bool, reply: Reply) -> None:
        if not session.alive:
            self._next(fence)
            return
        lock = self._locks[fence]
        session.lock, session.transaction = lock, session.transaction + 1
        if exclusive:
            lock.exclusive = session
            self.on_exclusive(fence)
        else:
            lock.shared[session] = None
        number = session.transaction
        self.world.after(IDLE, lambda: self._idle_too_long(session, fence, number))
        reply(None)

    def _idle_too_long(self, session: Session, fence: int, number: int) -> None:
        if session.lock is not None and session.transaction == number and not session.busy:
            self.end(session, fence)

    def finish(self, session: Session, fence: int, work: Any, label: str, reply: Reply) -> None:
        """Do the work and commit, a little later; the lock is held until then."""
        session.busy = True

        def commit() -> None:
            if self.refusing and label in REFUSABLE and self.world.random.random() < self.refusing:
                answer = self._refuse(session, work, label)
            else:
                answer = self.apply(
                    session, work, label, presumed=fence if self.fence_rule != "sound" else None
                )
                self.witnesses.transaction(
                    self.world.time, fence, label, getattr(work, "asked", None), answer
                )
            session.busy = False
            self.release(session, fence)
            reply(answer)

        self.world.after(self.pace(), commit)

    def _refuse(self, session: Session, work: Any, label: str) -> Exception:
        """A row of the batch cannot be had: it is halved until one instance, or one result, stands alone."""
        if label == "write" and len(work.asked) == 1:
            self.refused.add(work.asked[0].key)
        answer = asyncpg.DeadlockDetectedError("deadlock detected")
        self.trace.add(self.world.time, session.process, label, answer)
        return answer

    def apply(self, session: Session, work: Any, label: str, *, presumed: int | None = None) -> Any:
        """One transaction at this moment; returns what came of it, or the exception."""
        if presumed is not None:
            work = self._presuming(work, presumed, alive=session.snapshot)
        atomic = label.startswith(("write", "declare", "sweep", "release"))
        try:
            answer = self.database.run(self.world.time, work, atomic=atomic)
        except Exception as error:
            answer = error
        self.trace.add(self.world.time, session.process, label, answer)
        return answer

    def _presuming(self, work: Any, fence: int, *, alive: bool) -> Any:
        """A mutant's transaction: what it saw of the fence before is what it goes by."""
        statements = self.database.statements

        async def presuming(connection: Any) -> Any:
            sound = statements.passes
            statements.passes = lambda me: alive if me == fence else sound(me)
            try:
                return await work(connection)
            finally:
                statements.passes = sound

        return presuming

    def _alive(self, fence: int) -> bool:
        return bool(self.database.passes(fence))

    # -- the end of sessions and locks --

    def release(self, session: Session, fence: int) -> None:
        """The transaction is over."""
        lock, session.lock = session.lock, None
        if lock is None:
            return
        if lock.exclusive is session:
            lock.exclusive = None
        lock.shared.pop(session, None)
        self._next(fence)

    def _next(self, fence: int) -> None:
        lock = self._locks[fence]
        while lock.waiting:
            session, exclusive, granted = lock.waiting[0]
            if session.alive and not lock.free_for(exclusive=exclusive):
                return
            lock.waiting.popleft()
            granted()

    def end(self, session: Session, fence: int | None = None) -> None:
        """Its client is gone, or it is told to go: an open transaction is rolled back, one that commits commits."""
        session.alive = False
        if not session.busy:
            for number, lock in self._locks.items():
                if lock is session.lock:
                    self.release(session, number)
                    return

    def end_idle_holders(self, fence: int) -> None:
        """Those who hold this fence and wait for their client."""
        lock = self._locks.get(fence)
        for session in [s for s in (lock.shared if lock else ()) if not s.busy]:
            self.end(session, fence)
