"""The tasks that one incarnation holds: claimed, run by way of the dispatcher, told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

from orquestrax.base.clock import DatabaseClock
from orquestrax.base.errors import OrquestraxError
from orquestrax.core.changes import with_changes
from orquestrax.core.dispatcher import Dispatcher
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.taskverbs import TaskStore
from orquestrax.core.suspects import LIVES
from orquestrax.model.jobs import BodyKey, Delivered, Job, Outcome
from orquestrax.model.options import Executor
from orquestrax.model.tasks import ClaimedTask, TaskMessage
from orquestrax.worker.queues import outcomes
from orquestrax.worker.queues.claimer import QueueClaimer
from orquestrax.worker.queues.completer import Completer

VARIANTS: Final = 1_000  # steps with options of a call that are kept made


class Remembers(Protocol):
    """Keeps what earlier attempts said: the runner's reports."""

    def remember(self, instance: UUID, heartbeats: Mapping[int, str | None], /) -> None:
        """By command the JSON of their last details."""


class Queues:
    """Belongs to one incarnation, on its loop.

    on_mail()   there is mail for an instance of this node itself
    suspects()  instances here that may have ended the nodes before: two of them at most
    """

    def __init__(
        self,
        stores: tuple[TaskStore, TaskStore],
        dispatcher: Dispatcher,
        reports: Remembers,
        clock: DatabaseClock,
        steps: Mapping[str, Any],
        *,
        node: str,
        slots: Mapping[Executor, int],
        poll: float,
        hints: Hints,
        on_mail: Callable[[], None],
        on_shared: Callable[[], None],
        on_fenced: Callable[[], None],
        suspects: Callable[[], Sequence[UUID]] = lambda: (),
    ) -> None:
        self._dispatcher, self._reports, self._clock = dispatcher, reports, clock
        self._steps, self._node, self._store = steps, node, stores[0]
        self._hints, self._on_mail = hints, on_mail
        self._variants: dict[tuple[str, str, str], Any] = {}
        self.held: dict[BodyKey, ClaimedTask] = {}
        # Held still, but their bodies have ended: another one may run under that key.
        self._telling = set[BodyKey]()
        self.claimer = QueueClaimer(
            stores[0],
            dispatcher,
            slots=slots,
            steps=steps,
            held=self.held,
            poll=poll,
            on_tasks=self._take,
            on_gone=self._give_up,
            on_shared=on_shared,
            on_fenced=on_fenced,
            suspects=suspects,
        )
        self._completer = Completer(
            stores[1],
            on_told=self._told,
            on_refused=lambda message: self._drop(message) if message.ends else None,
            on_fenced=on_fenced,
        )

    def start(self) -> None:
        """Begin to take tasks."""
        self._completer.start()
        self.claimer.start()

    def changed(self, *, new: bool, withdrawn: bool) -> None:
        """Instances of this node have put steps into the queues, or do not wait for some any more."""
        if new:
            self._hints.tasks()
            self.claimer.look()
        if withdrawn:
            self._hints.gone()

    def ended(self, job: Job, outcome: Outcome) -> None:
        """An attempt that was taken from a queue has ended."""
        if isinstance(outcome, Delivered):
            task = self.held.pop(job.key, None)  # its own COMMIT has ended the claim
            self._hint(None if task is None else task.owner)
        else:
            self._telling.add(job.key)
            self._completer.add(outcomes.ended(job, outcome, self._node))

    @property
    def suspected(self) -> bool:
        """Whether a step runs here that may have ended the nodes before."""
        since = self._clock.now() - int(LIVES * 1_000_000)
        return any(
            task.suspicion and task.lost is None and (task.started_at or 0) > since
            for task in self.held.values()
        )

    def long_step(self, job: Job, started_at: int) -> None:
        """A body has been running for a while."""
        self._completer.add(outcomes.started(job, started_at, self._node))

    async def stop_taking(self) -> None:
        """Take nothing more; what waits here for a slot waits for any node again."""
        await self.claimer.stop()
        waiting = {job.key: self.held.pop(job.key, None) for job in self._dispatcher.claimed()}
        if waiting:
            taken_at = {key: None if task is None else task.started_at for key, task in waiting.items()}
            await self._store.give_back(taken_at)

    async def stop(self, patience: float) -> None:
        """Tell what is left to tell."""
        await self._completer.stop(patience)
        self._store.close()

    def abandon(self) -> None:
        """Drop everything at once, as a crash would."""
        self.claimer.abandon()
        self._completer.abandon()
        self.held.clear()
        self._telling.clear()

    def _take(self, tasks: Sequence[ClaimedTask]) -> None:
        """From the claimer's task: bodies start from plain callbacks."""
        if tasks:
            for task in tasks:
                key = BodyKey(task.instance, task.command)
                self.held[key] = task
                self._telling.discard(key)
            asyncio.get_running_loop().call_soon(self._begin, tasks)

    def _begin(self, tasks: Sequence[ClaimedTask]) -> None:
        for task in tasks:
            key = BodyKey(task.instance, task.command)
            if self.held.get(key) is not task:
                continue
            if task.lost is not None or task.expiry is not None:
                told = outcomes.lost if task.lost is not None else outcomes.expired
                self._completer.add(told(task, self._clock.now()))
                continue
            try:
                step = self._step(task)
            except OrquestraxError as error:  # the options of the call do not fit the code here
                self._completer.add(outcomes.failed(task, error, self._node, self._clock.now()))
                continue
            if task.spoke not in (None, self._store.fence.number):  # else what is in memory is newer
                self._reports.remember(task.instance, {task.command: task.heartbeat})
            self._dispatcher.dispatch(_job(task, key, step))

    def _step(self, task: ClaimedTask) -> Any:
        """The step with the options of its call."""
        declared = self._steps[task.step]
        if task.options == "{}" and task.queue == declared.options.queue:
            return declared
        variant = (task.step, task.queue, task.options)
        if variant not in self._variants:
            if len(self._variants) >= VARIANTS:
                self._variants.clear()
            self._variants[variant] = with_changes(declared, task.queue, task.options)
        return self._variants[variant]

    def _hint(self, owner: int | None) -> None:
        """There is mail for an instance of that node, or of nobody."""
        if owner == self._store.fence.number:
            self._on_mail()
        elif owner is not None:
            self._hints.node(owner)
        else:
            self._hints.work()

    def _told(self, message: TaskMessage, owner: int | None) -> None:
        if message.ends:
            self._drop(message)
        self._hint(owner)

    def _drop(self, message: TaskMessage) -> None:
        key = BodyKey(message.instance, message.command)
        task = self.held.get(key)
        if task is not None and task.attempt == message.attempt:
            del self.held[key]
            self._telling.discard(key)

    def _give_up(self, key: BodyKey) -> None:
        if self.held.pop(key, None) is None:
            return
        if key in self._telling:  # the next attempt may run here by now, as a step of its own instance
            self._telling.discard(key)
        else:
            self._dispatcher.give_up(key)


def _job(task: ClaimedTask, key: BodyKey, step: Any) -> Job:
    return Job(
        key=key,
        instance_id=task.instance_id,
        definition=task.definition,
        attempt=task.attempt,
        step=step,
        arguments=task.input.encode(),
        asked_at=task.asked_at,
        first_at=task.first_at,
        claimed=True,
    )
