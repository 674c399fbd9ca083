"""Which ended instances are replayed again, when, and what is said of them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from orquestrax.client.histories import read_history
from orquestrax.core.claimer import TROUBLE
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.define.workflow import Workflow
from orquestrax.node.rechecking.messages import Differs
from orquestrax.node.rechecking.noting import Notes
from orquestrax.node.rechecking.process import Process

log = logging.getLogger(__name__)
WAITING: Final = 16  # instances; what ends while so many wait is left out
LONGEST: Final = 2_000  # events of a history
PAUSE: Final = 0.05  # seconds between two, so that a busy node reads few


class Rechecker:
    """Lives on the node's loop. `ended` is on the hot path and only notes a key."""

    def __init__(
        self,
        store: ClientStore,
        workflows: Mapping[str, Workflow[..., Any]],
        *,
        notes: Notes,
        node: Callable[[], str | None],
    ) -> None:
        self._store, self._workflows, self._notes, self._node = store, workflows, notes, node
        self._waiting: deque[UUID] = deque()
        self._some = asyncio.Event()
        self._process: Process | None = None
        self._closed = False
        self._said: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work; the other process is started when there is something to replay."""
        self._task = asyncio.create_task(self._work(), name="rechecker")

    def ended(self, key: UUID) -> None:
        """An instance has ended here."""
        if len(self._waiting) < WAITING:
            self._waiting.append(key)
            self._some.set()

    def abandon(self) -> None:
        """End at once, the other process as well."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        if self._process is not None:
            self._process.close()

    async def _work(self) -> None:
        while True:
            await self._some.wait()
            while self._waiting:
                try:
                    await self._check(self._waiting.popleft())
                except Exception:
                    log.exception("a replay after the end failed, which changes nothing of what runs")
                await asyncio.sleep(PAUSE)
            self._some.clear()

    async def _check(self, key: UUID) -> None:
        try:
            history = await read_history(self._store, key, at_most=LONGEST)
        except TROUBLE:  # the node itself has more to say of it
            return
        workflow = None if history is None else self._workflows.get(history.definition)
        if history is None or workflow is None:
            return
        if self._process is None or not self._process.alive:
            await asyncio.to_thread(self._spawn)
        assert self._process is not None
        answer = await asyncio.to_thread(self._process.check, workflow, history)
        if isinstance(answer, Differs):
            await self._tell(key, history.id, workflow, answer)
        else:
            log.debug("%s was replayed again: %s", history.id, answer)

    def _spawn(self) -> None:
        if self._process is not None:
            self._process.close()
        self._process = process = Process(idle=True)
        if self._closed:  # meanwhile, and nobody else will
            process.close()

    async def _tell(self, key: UUID, id_: str, workflow: Workflow[..., Any], answer: Differs) -> None:
        """On the instance's page; in the log once per workflow: every instance of that code would say the same."""
        found = f"{answer.message}; a node that takes such an instance over will block it"
        if workflow.name not in self._said:
            self._said.add(workflow.name)
            log.warning(
                "workflow %s is not deterministic: %s has ended, and replayed in another process it did otherwise; %s",
                workflow.name,
                id_,
                found,
            )
        await self._notes.note(key, self._node(), f"replayed in another process, it did otherwise; {found}")
