"""The node itself: reaches the database, registers what it serves, and keeps an incarnation alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from orquestrax.base.release import RELEASE
from orquestrax.client.client import Client
from orquestrax.client.connect import reached
from orquestrax.client.views import Ending
from orquestrax.cluster.machine import this_machine
from orquestrax.core.claimer import TROUBLE
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.core.store.database import Database
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.migrate import migrate, require_schema
from orquestrax.define.catalogue import collect
from orquestrax.define.workflow import Workflow
from orquestrax.model.rows import NewInstance, Verdict
from orquestrax.node import linting
from orquestrax.node.incarnation import Incarnation
from orquestrax.node.options import EngineOptions, engine_options
from orquestrax.node.part import part_of
from orquestrax.node.registration import describe
from orquestrax.node.scrutiny import guard_wanted, recheck_wanted
from orquestrax.node.watchdog import Watchdog
from orquestrax.replay import guard
from orquestrax.replay.loop import Loop
from orquestrax.settings import Settings, load_settings

if TYPE_CHECKING:
    from orquestrax.node.rechecking.rechecker import Rechecker

log = logging.getLogger(__name__)
RETRY: Final = 0.5  # seconds between attempts to come back
DEFAULTS: Final = EngineOptions()


class Node:
    """One process's part of the cluster.

    Its parts begin with `start` and end with `stop`; `abandon` drops everything as a crash would. `client` starts
    instances local-first as long as this node has an engine. `drained` is set when it has ended because somebody told
    it to drain; it does not come back then.
    """

    def __init__(
        self,
        settings: Settings,
        workflows: Mapping[str, Workflow[Any, Any]],
        *,
        steps: Mapping[str, Any] | None = None,
        roles: Sequence[str] = ("engine", "worker"),
        options: EngineOptions = DEFAULTS,
        migrates: bool | None = None,
        created_by: str = "python",
    ) -> None:
        self.settings, self.workflows, self.roles, self.options = (
            settings,
            dict(workflows),
            tuple(roles),
            options,
        )
        self.part = part_of(settings, self.workflows, steps or {}, self.roles)
        self._migrates = settings.database is None if migrates is None else migrates
        self._created_by = created_by
        self._opened = AsyncExitStack()
        self._keeper: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self.drained = asyncio.Event()
        self._retiring: asyncio.Task[None] | None = None
        self.incarnation: Incarnation | None = None
        self._rechecker: Rechecker | None = None

    @property
    def fence(self) -> int | None:
        """The fence of the incarnation that works now; None without the engine, or between two of them."""
        return None if self.incarnation is None else self.incarnation.fence.number

    @property
    def name(self) -> str | None:
        """How histories call the incarnation that works now."""
        return None if self.incarnation is None else self.incarnation.name

    async def start(self) -> Client:
        """Reach the database, bring the schema up to date if it is ours to change, begin to work.

        What fails on the way leaves nothing behind.
        """
        try:
            return await self._start()
        except BaseException:
            await self._opened.aclose()
            raise

    async def _start(self) -> Client:
        address = await self._opened.enter_async_context(reached(self.settings))
        if self._migrates:
            await migrate(address)
        else:
            await require_schema(address)
        self.database, self.hints = Database(address), Hints(address)
        self._opened.push_async_callback(self.database.close)
        self._opened.push_async_callback(self.hints.stop)
        await self.database.open()
        self.store = ClientStore(self.database)
        await self.store.register([describe(workflow) for workflow in self.workflows.values()])
        self.hints.start()
        self.client = Client(self.store, self.hints, engine=self, created_by=self._created_by)
        self.watchdog = Watchdog(
            stuck_after=self.options.stuck_after,
            hung_after=self.settings.hung_after,
            exits=self.options.exits,
            loops=self._loops,
        )
        if guard_wanted():
            guard.install()
        if self.part.works:
            self._begin_rechecks()
            self.watchdog.start()
            self._opened.callback(self.watchdog.stop)
            self.incarnation = await self._begin()
            self._keeper = asyncio.create_task(self._keep_alive(), name="node keeper")
            self._linting = asyncio.create_task(asyncio.to_thread(linting.report, self.workflows.values()))
        return self.client

    async def stop(self, *, grace: float = 10.0) -> None:
        """End cleanly: running bodies get `grace` seconds, the rest is handed over."""
        if self._leaving is not None:
            await self._leaving
        if self._keeper is not None:
            self._keeper.cancel()
        if self.incarnation is not None:
            await self.incarnation.stop(grace)
        if self._retiring is not None:
            await self._retiring
        await self._opened.aclose()

    async def abandon(self) -> None:
        """Drop everything at once, as a crash would: nothing is handed over."""
        if self._keeper is not None:
            self._keeper.cancel()
        if self.incarnation is not None:
            self.incarnation.abandon()
        self.watchdog.stop()
        if self._rechecker is not None:
            self._rechecker.abandon()
        self.hints.abandon()
        await self.database.close()

    async def start_here(self, new: NewInstance) -> Verdict | None:
        """The engine that `client` starts local-first with."""
        return await self.incarnation.start_here(new) if self.incarnation is not None else None

    async def ended_here(self, key: UUID) -> Ending | None:
        """Wait for an instance in this node's memory."""
        return await self.incarnation.ended_here(key) if self.incarnation is not None else None

    async def _begin(self, former: Fence | None = None) -> Incarnation:
        return await Incarnation.begin(
            database=self.database,
            hints=self.hints,
            machine=this_machine(self.settings.home, await self.database.identity()),
            part=self.part,
            release=RELEASE,
            options=self.options,
            may_beat=self.watchdog.turns,
            on_ended=None if self._rechecker is None else self._rechecker.ended,
            former=former,
        )

    def _begin_rechecks(self) -> None:
        if recheck_wanted() and self.workflows:
            from orquestrax.node.rechecking.noting import Notes  # noqa: PLC0415 - not in production
            from orquestrax.node.rechecking.rechecker import Rechecker  # noqa: PLC0415

            notes = Notes(self.database, self.hints.view)
            self._rechecker = Rechecker(self.store, self.workflows, notes=notes, node=lambda: self.name)
            self._rechecker.start()
            self._opened.callback(self._rechecker.abandon)

    def _loops(self) -> list[Loop]:
        """Those of the workflows in memory; asked for by the watchdog's thread."""
        if self.incarnation is None:
            return []
        return [each.replay.loop for each in list(self.incarnation.orchestrator.memory.executions.values())]

    async def _keep_alive(self) -> None:
        """Declared dead, or unable to renew its lease, this node drops its memory and comes back as another."""
        while self.incarnation is not None:
            await self.incarnation.ending.wait()
            if not self.incarnation.fenced.is_set():
                self._leaving = asyncio.create_task(self._leave(self.incarnation), name="node drains")
                return
            log.warning(
                "%s %s: it drops its memory and comes back", self.incarnation.name, self.incarnation.why
            )
            former = self.incarnation.fence
            self.incarnation.abandon()
            self._retiring = asyncio.create_task(self.incarnation.retire(), name="retiring")
            self.incarnation = None
            while self.incarnation is None:
                try:
                    self.incarnation = await self._begin(former)
                except TROUBLE as error:
                    log.warning("cannot come back yet: %s", error)
                    await asyncio.sleep(RETRY)

    async def _leave(self, incarnation: Incarnation) -> None:
        """Somebody wants this node to drain."""
        log.info("%s was told to drain", incarnation.name)
        await incarnation.stop(self.options.grace if incarnation.grace is None else incarnation.grace)
        self.incarnation = None
        self.drained.set()


@asynccontextmanager
async def node(
    modules: Iterable[ModuleType] = (),
    *,
    workflows: Iterable[Workflow[..., Any]] = (),
    steps: Iterable[Any] = (),
    roles: str | Sequence[str] = "engine,worker",
    queues: str | Sequence[str] | None = None,
    slots: int | None = None,
    database: str | None = None,
    namespace: str | None = None,
    options: EngineOptions | None = None,
    grace: float = 10.0,
) -> AsyncIterator[Client]:
    """A full node for as long as the block runs; hands out its client.

    Serves what the modules define or import, or exactly the lists it is handed. Without `database` the settings
    decide, else the embedded server. `queues` are those whose steps it runs, all of them
    without it, with a limit behind a colon where there is one: `"a,b:20"`; `slots` is how many steps run here at once.
    Raises DatabaseError, SettingsError, DuplicateDefinition.
    """
    flags = {"database": database, "namespace": namespace, "queues": queues, "slots": slots}
    settings = load_settings(flags, said="argument ")
    chosen = roles.split(",") if isinstance(roles, str) else list(roles)
    code = collect(modules, workflows, steps)
    running = Node(
        settings,
        code.workflows,
        steps=code.steps,
        roles=[role.strip() for role in chosen],
        options=options or engine_options(settings),
    )
    client = await running.start()
    try:
        yield client
    finally:
        await running.stop(grace=grace)
