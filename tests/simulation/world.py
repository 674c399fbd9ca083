"""Virtual time, and one event loop for each process, all driven by one seeded scheduler.

Within a process callbacks run in their order, as asyncio promises; between processes the seed decides whose turn it is.
Time moves only when nobody has anything left to do.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from asyncio import _set_running_loop
from collections import deque
from collections.abc import Callable
from typing import Any, Final

EPOCH: Final = 1_800_000_000_000_000  # microseconds: when every simulation begins
MOST_TURNS: Final = 2_000_000


class World:
    """Everything that happens, in one order. `now` is in seconds since the beginning."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.loops: list[ProcessLoop] = []
        self.faults: list[str] = []
        self._order = itertools.count()
        self._heap: list[tuple[float, int, ProcessLoop | None, Any]] = []

    @property
    def time(self) -> int:
        """The database's time: microseconds since the Unix epoch."""
        return EPOCH + round(self.now * 1_000_000)

    def after(self, delay: float, callback: Callable[[], object]) -> None:
        """Something outside of all processes: an answer arrives, a fault strikes."""
        heapq.heappush(self._heap, (self.now + delay, next(self._order), None, callback))

    def schedule(self, when: float, loop: ProcessLoop, handle: asyncio.TimerHandle) -> None:
        """A timer of a process."""
        heapq.heappush(self._heap, (when, next(self._order), loop, handle))

    def run(self, done: Callable[[], bool], until: float) -> None:
        """Go on until `done`, or until that time."""
        for _ in range(MOST_TURNS):
            if done() or self.now > until or not self._turn():
                return
        raise AssertionError(f"the simulation does not come to rest: {MOST_TURNS} turns by second {self.now}")

    def _turn(self) -> bool:
        """What is due becomes ready, one process runs a little; if none has anything to do, time goes on."""
        heap = self._heap
        while heap and heap[0][0] <= self.now:
            _, _, loop, due = heapq.heappop(heap)
            if loop is None:
                due()
            elif not due.cancelled():
                loop.ready.append(due)
        runnable = [loop for loop in self.loops if loop.ready and not loop.frozen]
        if runnable:
            chosen = runnable[0] if len(runnable) == 1 else self.random.choice(runnable)
            chosen.run_some(self.random.choice((1, 1, 2, 4, 16)))
        elif heap:
            self.now = heap[0][0]
        return bool(runnable or heap)


class ProcessLoop(asyncio.AbstractEventLoop):
    """The event loop of one process. Frozen, it stands still; killed, nothing of it ever runs again."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.ready: deque[asyncio.Handle] = deque()
        self.frozen = self.muted = self.killed = False
        world.loops.append(self)

    def kill(self) -> None:
        """As `kill -9`. What it held stays referenced, so that no finalizer runs in the midst of the others."""
        self.killed = True
        self.world.loops.remove(self)

    def run_some(self, most: int) -> None:
        """Run up to so many callbacks."""
        _set_running_loop(self)
        try:
            for _ in range(most):
                if not self.ready or self.frozen or self.killed:
                    return
                handle = self.ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            _set_running_loop(None)

    def wind_up(self, closing: Callable[[], object]) -> None:
        """After the simulation: let go of everything that still waits here, with nobody listening."""
        self.frozen = self.killed = False
        self.muted = True
        self.call_soon(closing)
        self.run_some(1_000)
        for task in asyncio.all_tasks(self):
            task.cancel()
        while self.ready:
            self.run_some(1_000)

    def time(self) -> float:
        return self.world.now

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return self.call_at(self.world.now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.world.schedule(when, self, handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, **options)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        """It is left out when its time comes."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Nothing in the engine may fail unnoticed."""
        if not self.muted:
            self.world.faults.append(f"{self.name}: {context.get('message')}: {context.get('exception')!r}")
