"""The children of one node: warm ones first, and another in the place of each that is gone.

A child belongs to one attempt at a time. The node's slots say how many bodies run at once, so there are as many
children, and for moments those that are leaving. One that has been idle for long, or has run many bodies, is replaced:
whatever leaks in users' code ends there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from orquestrax.base.errors import OrquestraxError, ProcessCrashed
from orquestrax.worker.attempt import Attempt
from orquestrax.worker.info import info_of
from orquestrax.worker.processes.messages import Outcome, Place, Run
from orquestrax.worker.processes.offspring import Offspring
from orquestrax.worker.processes.places import place_of
from orquestrax.worker.processes.warding import Warden

_log = logging.getLogger(__name__)
JOBS: Final = 1_000  # that a child runs before it is replaced
IDLE: Final = 300.0  # seconds without a job after which it ends
PATIENCE: Final = 5.0  # seconds that a child has to close its resources and end


class ProcessPool:
    """Runs bodies in children, at most `size` of them warm and idle.

    on_begun  called when a body begins whose step has a `heartbeat_timeout`: it could not speak before
    """

    def __init__(
        self,
        size: int,
        on_begun: Callable[[Attempt], None],
        *,
        jobs: int = JOBS,
        idle: float = IDLE,
        patience: float = PATIENCE,
    ) -> None:
        self._size, self._on_begun = size, on_begun
        self._jobs, self._idle_for, self._patience = jobs, idle, patience
        self._loop = asyncio.get_running_loop()
        self._warden = Warden()
        self._idle: list[Offspring] = []  # the one that was used last is taken first
        self._alive: set[Offspring] = set()
        self._takers: deque[asyncio.Future[Offspring]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._beginning = 0
        self._places: dict[Any, Place] = {}
        self._retiring: asyncio.TimerHandle | None = None
        self._closed = False

    def warm(self, steps: Iterable[Any]) -> None:
        """Start the children, and let them import what these steps need."""
        for step in steps:
            try:
                self._place(step)
            except OrquestraxError as error:
                _log.warning("%s", error)
        while len(self._alive) + self._beginning < self._size:
            self._begin()

    async def run(self, attempt: Attempt) -> Outcome:
        """Run the body of an attempt in a child. When this is cancelled the child is killed, and gone on return.

        Errors: ProcessCrashed, DefinitionError if no child can find the step.
        """
        step = attempt.job.step
        options = step.options
        order = Run(
            self._place(step),
            attempt.job.arguments,
            info_of(attempt),
            options.memory,
            says_begun=options.heartbeat_timeout is not None,
        )
        child = await self._take()
        try:
            outcome = await child.run(attempt, order)
            child.spent |= getattr(outcome, "spent", False)
            return outcome
        finally:
            self._give_back(child)

    async def close(self) -> None:
        """Let all children end, and kill those that do not."""
        self._closed = True
        if self._retiring is not None:
            self._retiring.cancel()
        for child in list(self._alive):
            self._leave(child)
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._warden.close()

    def abandon(self) -> None:
        """Kill all children, here and now."""
        self._closed = True
        if self._retiring is not None:
            self._retiring.cancel()
        for child in list(self._alive):
            child.abandon()
        self._warden.close()

    def _place(self, step: Any) -> Place:
        found = self._places.get(step.declared)
        if found is None:
            found = self._places[step.declared] = place_of(step)
        return found

    # -- children come -----------------------------------------------------------------------------------------------

    async def _take(self) -> Offspring:
        while self._idle:
            child = self._idle.pop()
            if not child.spent:
                return child
        taker: asyncio.Future[Offspring] = self._loop.create_future()
        self._takers.append(taker)
        if self._beginning < len(self._takers):
            self._begin()
        try:
            return await taker
        except asyncio.CancelledError:
            if taker.done() and not taker.cancelled() and taker.exception() is None:
                self._give_back(taker.result())
            raise

    def _begin(self) -> None:
        self._beginning += 1
        self._keep(self._start(), "a child begins")

    async def _start(self) -> None:
        if self._closed:  # since it was sent for, and whoever did has been told
            self._beginning -= 1
            return
        try:
            child = await Offspring.spawn(self._warden, self._on_begun)
            self._alive.add(child)
            child.gone.add_done_callback(lambda _status: self._alive.discard(child))
            child.warm(list(self._places.values()))
            await child.ready
        except Exception as error:  # noqa: BLE001 - who waits for a child must be told, whatever it is
            self._beginning -= 1
            self._refuse(error)
            return
        self._beginning -= 1
        self._give_back(child)

    def _refuse(self, error: Exception) -> None:
        """No child can be had: tell the first who waits for one; the others have sent for their own."""
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                sentence = error if isinstance(error, ProcessCrashed) else _unstartable(error)
                taker.set_exception(sentence)
                return
        if not self._closed:
            _log.warning("no child process for steps: %s", error)

    def _give_back(self, child: Offspring) -> None:
        """A child is free: for who waits, or to wait itself, or to go."""
        if self._closed or child.spent or child.jobs >= self._jobs:
            self._leave(child)
            if self._takers and self._beginning < len(self._takers) and not self._closed:
                self._begin()
            return
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(child)
                return
        child.idle_since = self._loop.time()
        self._idle.append(child)
        self._watch_idle()

    # -- children go -------------------------------------------------------------------------------------------------

    def _watch_idle(self) -> None:
        if self._retiring is None and self._idle:
            due = self._idle[0].idle_since + self._idle_for
            self._retiring = self._loop.call_at(due, self._retire)

    def _retire(self) -> None:
        self._retiring = None
        late = self._loop.time() - self._idle_for + 0.001
        while self._idle and self._idle[0].idle_since <= late:
            self._leave(self._idle.pop(0))
        self._watch_idle()

    def _leave(self, child: Offspring) -> None:
        if not child.gone.done():
            child.close()
            self._keep(self._see_off(child), "a child ends")

    async def _see_off(self, child: Offspring) -> None:
        await asyncio.wait([child.gone], timeout=self._patience)
        child.kill()
        await asyncio.wait([child.gone], timeout=self._patience)

    def _keep(self, work: Any, name: str) -> None:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _unstartable(error: Exception) -> ProcessCrashed:
    return ProcessCrashed(f"the system starts no process for steps: {error}")
