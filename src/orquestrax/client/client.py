"""The client: start instances, find them, send them messages.

One client talks to one database. Inside a node it has an engine beside it, and starts what that engine serves
local-first: inserted as the node's own and running, without a detour by the queue of pending instances.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar, overload
from uuid import UUID

import msgspec
from typing_extensions import TypeVarTuple, Unpack

from orquestrax.base.errors import Conflict, DatabaseError, InvalidInput
from orquestrax.base.ids import check_id, uuid7
from orquestrax.client.endings import Endings
from orquestrax.client.handle import Run, decoder_of, not_found
from orquestrax.client.logs import LogEntry, entries
from orquestrax.client.progress import StepProgress
from orquestrax.client.queues import QueueStatus
from orquestrax.client.starts import Starts
from orquestrax.client.views import Ending, HistoryEvent, RunStatus
from orquestrax.core.store.clientverbs import ClientStore, InstanceView, Order
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.logs import LogStore
from orquestrax.core.store.progress import ProgressStore
from orquestrax.core.store.taskverbs import queues_of
from orquestrax.define.workflow import Workflow
from orquestrax.model.rows import NewInstance, Verdict

Ts = TypeVarTuple("Ts")
R = TypeVar("R")
LOWEST_PRIORITY = 4


class Engine(Protocol):
    """The engine of this process, if there is one."""

    async def start_here(self, new: NewInstance) -> Verdict | None:
        """Start local-first; None if this engine does not serve the definition or is full."""

    async def ended_here(self, key: UUID) -> Ending | None:
        """Wait for an instance in this engine's memory; None if it is not, or leaves it before its end."""


class Client:
    """Made by `ox.connect()` or `ox.node()`."""

    def __init__(
        self, store: ClientStore, hints: Hints, *, engine: Engine | None = None, created_by: str = "python"
    ) -> None:
        self.store, self.hints = store, hints
        self._engine, self._created_by = engine, created_by
        self._endings: Endings | None = None
        self._starts = Starts(store)

    async def start(
        self,
        workflow: Callable[[Unpack[Ts]], Coroutine[Any, Any, R]],
        /,
        *args: *Ts,
        id: str | None = None,
        priority: int = 2,
    ) -> Run[R]:
        """Start an instance, or find the one that the same call has started before: idempotent on `id`.

        Priorities go from 0 (first) to 4. Raises PayloadError if the arguments do not fit the workflow, InvalidId,
        Conflict if the id has another definition or input. An acknowledged start is never lost.
        """
        if not isinstance(workflow, Workflow):
            raise InvalidInput(f"{workflow!r} is not a workflow: decorate the function with @workflow")
        declared: Workflow[Any, R] = workflow
        encoded, digest = declared.signature.encode_and_digest(args, {})
        timeout = declared.options.timeout
        new = self._new(declared.name, declared.version, encoded, digest, id, priority, timeout)
        return Run(self, await self._start(new), new.id, new.definition, decoder_of(declared))

    def _new(
        self,
        definition: str,
        version: str,
        encoded: bytes,
        digest: bytes,
        id_: str | None,
        priority: int,
        timeout: float | None = None,
    ) -> NewInstance:
        if not 0 <= priority <= LOWEST_PRIORITY:
            raise InvalidInput(f"priority {priority}: use 0 (first) to {LOWEST_PRIORITY}")
        key = uuid7()
        return NewInstance(
            key=key,
            id=str(key) if id_ is None else check_id(id_),
            definition=definition,
            version=version,
            input=encoded,
            digest=digest,
            created_by=self._created_by,
            priority=priority,
            timeout=timeout,
        )

    async def start_encoded(
        self,
        definition: str,
        version: str,
        encoded: bytes,
        digest: bytes,
        *,
        id: str | None = None,
        priority: int = 2,
    ) -> Run[Any]:
        """Store a start as pending, with an input that is encoded already; for the CLI and the API."""
        new = self._new(definition, version, encoded, digest, id, priority)
        return Run(self, await self._store_pending(new), new.id, new.definition, decoder_of(None))

    async def _start(self, new: NewInstance) -> UUID:
        """Start it here if this engine can, else store it as pending; returns its key. Raises Conflict."""
        verdict = await self._engine.start_here(new) if self._engine is not None else None
        if verdict is Verdict.COMMITTED:
            return new.key
        if verdict is None:
            return await self._store_pending(new)
        if verdict is Verdict.TAKEN:
            return await self._same_or_conflict(new)
        raise DatabaseError(f"the start of {new.id} was not written: {verdict.value}")

    async def _store_pending(self, new: NewInstance) -> UUID:
        if not await self._starts.store(new):
            return await self._same_or_conflict(new)
        self.hints.work()
        self.hints.view(new.key)
        return new.key

    async def _same_or_conflict(self, new: NewInstance) -> UUID:
        there = await self.view(new.id)
        if there.definition != new.definition:
            raise Conflict(
                f"the id {new.id!r} belongs to an instance of {there.definition!r}, not {new.definition!r}"
            )
        if there.digest != new.digest:
            raise Conflict(
                f"the id {new.id!r} belongs to an instance of {there.definition!r} with another input"
            )
        return there.key

    @overload
    async def get(self, id: str, workflow: Callable[[Unpack[Ts]], Coroutine[Any, Any, R]]) -> Run[R]: ...
    @overload
    async def get(self, id: str) -> Run[Any]: ...
    async def get(self, id: str, workflow: Any = None) -> Run[Any]:
        """A handle to what exists; with the workflow its result is typed. Raises NotFound."""
        view = await self.view(id)
        return Run(self, view.key, view.id, view.definition, decoder_of(workflow))

    async def history(self, id: str) -> list[HistoryEvent]:
        """The history of an instance. Raises NotFound."""
        view = await self.view(id)
        events = await self.store.events(view.key, limit=1_000_000)
        return [*HistoryEvent.beginning(view), *map(HistoryEvent.of, events)]

    async def logs(
        self, id: str, *, after: int = 0, level: str = "DEBUG", step: str | None = None, limit: int = 1_000
    ) -> list[LogEntry]:
        """What an instance has logged, see `Run.logs`. Raises NotFound, InvalidInput."""
        view = await self.view(id)
        store = LogStore(self.store.database)
        return await entries(store, view.key, after=after, level=level, step=step, limit=limit)

    async def progress(self, id: str) -> list[StepProgress]:
        """How far the running steps of an instance are, see `Run.progress`. Raises NotFound."""
        key = (await self.view(id)).key
        found = await ProgressStore(self.store.database).of([key])
        return [StepProgress.of(view) for view in found.get(key, ())]

    async def list(
        self,
        *,
        status: str | Sequence[str] | None = None,
        definition: str | None = None,
        search: str | None = None,
        limit: int = 50,
    ) -> list[RunStatus]:
        """Instances, newest first; `search` is how the id begins, for the newest 10,000 any part of it."""
        statuses = [status] if isinstance(status, str) else status
        views = await self.store.list(statuses=statuses, definition=definition, search=search, limit=limit)
        return [RunStatus.of(view) for view in views]

    async def queues(self) -> builtins.list[QueueStatus]:
        """The queues of the cluster: what waits for a node, what runs on one, and who serves each."""
        return [QueueStatus.of(view) for view in await queues_of(self.store.database)]

    async def view(self, id: str) -> InstanceView:
        """The row of an instance. Raises NotFound."""
        view = await self.store.by_id(check_id(id))
        if view is None:
            raise not_found(id)
        return view

    async def send(self, order: Order) -> None:
        """Send a message and hint its receiver; an order says who gave it."""
        if order.kind != "signal":
            order = msgspec.structs.replace(order, name=self._created_by)
        for owner in await self.store.send([order]):
            self._hint(order, owner)

    def _hint(self, order: Order, owner: int | None) -> None:
        if owner is not None:
            self.hints.node(owner)
        else:
            self.hints.work()
            if order.kind != "signal":
                self.hints.orders()
        self.hints.view(order.instance)

    async def wait_ended(self, key: UUID) -> Ending:
        """Wait until an instance has ended, wherever it runs."""
        if self._engine is not None:
            ending = await self._engine.ended_here(key)
            if ending is not None:
                return ending
        if self._endings is None:
            self._endings = Endings(self.store, self.hints)
        end = await self._endings.wait(key)
        return Ending(end.status, end.result, end.error)
