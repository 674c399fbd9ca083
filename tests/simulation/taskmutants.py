"""Rules of the cluster's queues, of drains and of the lead that are taken away; see `mutants`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch
from uuid import UUID

from orquestrax.cluster.leader import Leader
from orquestrax.core.dispatcher import Dispatcher
from orquestrax.core.store.nodeverbs import NodeStore
from orquestrax.model.rows import History
from orquestrax.worker.queues.claimer import QueueClaimer
from orquestrax.worker.queues.service import Queues
from tests.simulation.model.nodes import NodeStatements
from tests.simulation.model.tables import Row
from tests.simulation.model.tasks import TaskStatements
from tests.simulation.stores import SimulatedNodeStore

Applied = AbstractContextManager[Any]


def no_attempt_check() -> Applied:
    def is_mine(self: TaskStatements, me: int, instance: UUID, command: int, _attempt: int) -> bool:
        task = self.tables.tasks.get((instance, command))
        return task is not None and task["worker"] == me and self.passes(me)

    return patch.object(TaskStatements, "_is_mine", is_mine)


def completion_without_fence() -> Applied:
    def is_mine(self: TaskStatements, _me: int, instance: UUID, command: int, attempt: int) -> bool:
        task = self.tables.tasks.get((instance, command))
        return task is not None and task["attempt"] == attempt

    return patch.object(TaskStatements, "_is_mine", is_mine)


def tasks_apart_from_inbox() -> Applied:
    """What moves from the one to the other in between is missed by both."""

    async def histories(self: SimulatedNodeStore, keys: Sequence[UUID]) -> dict[UUID, History]:
        first = await NodeStore.histories(self, keys)
        await asyncio.sleep(1.0)
        found = await NodeStore.histories(self, keys)
        for key, history in found.items():
            history.messages = first[key].messages
        return found

    return patch.object(SimulatedNodeStore, "histories", histories)


def running_handed_over() -> Applied:
    """As a resume did, and a reload, before the simulation knew of queues."""
    sound = Dispatcher.takes

    def takes(self: Dispatcher, *asked: Any) -> bool:
        with patch.object(self, "knows", lambda _key: False):
            return sound(self, *asked)

    return patch.object(Dispatcher, "takes", takes)


def claims_by_hints_alone() -> Applied:
    sound = QueueClaimer.__init__

    def init(self: QueueClaimer, *arguments: Any, **how: Any) -> None:
        sound(self, *arguments, **{**how, "poll": 1e6})

    return patch.object(QueueClaimer, "__init__", init)


def told_once() -> Applied:
    """Over the whole run: what is put back by a coroutine is not put back if its process dies in it."""
    return patch("orquestrax.worker.queues.completer.AGAIN", 1e6)


def the_dead_keep_their_tasks() -> Applied:
    return patch.object(NodeStatements, "free_tasks", lambda *_asked: [])


def at_most_once_runs_again() -> Applied:
    sound = TaskStatements.free_tasks

    def free_tasks(self: TaskStatements, worker: int, *asked: Any) -> list[Row]:
        for task in self._tasks(lambda task: task["worker"] == worker):
            task["once"] = False
        return sound(self, worker, *asked)

    return patch.object(NodeStatements, "free_tasks", free_tasks)


def tasks_of_the_paused_are_taken() -> Applied:
    return patch.object(TaskStatements, "hold_tasks", lambda *_asked: [])


@contextmanager
def drained_nodes_take_on() -> Iterator[None]:
    """It goes on to claim, and starts what it has claimed."""

    async def nothing(_self: Queues) -> None:
        """Nothing is given back."""

    def close(_self: Dispatcher) -> None:
        """It stays open."""

    with patch.object(Queues, "stop_taking", nothing), patch.object(Dispatcher, "close", close):
        yield


def leads_for_ever() -> Applied:
    """Who has ever had the lead believes to have it."""
    return patch.object(Leader, "leads", property(lambda self: self.term > 0))


def one_death_convicts() -> Applied:
    sound = NodeStatements._freed

    def freed(self: NodeStatements, row: Row, lost: int, suspicion: int, **verdict: bool) -> Row:
        return sound(
            self, row, lost, suspicion, **{**verdict, "convicted": verdict["counts"] and suspicion > 0}
        )

    return patch.object(NodeStatements, "_freed", freed)


def nobody_is_convicted() -> Applied:
    sound = NodeStatements._freed

    def freed(self: NodeStatements, row: Row, lost: int, suspicion: int, **verdict: bool) -> Row:
        return sound(self, row, lost, suspicion, **{**verdict, "convicted": False})

    return patch.object(NodeStatements, "_freed", freed)


def handed_out_unsuspected() -> Applied:
    """What its instance did to the nodes before is forgotten."""
    sound = TaskStatements._carried

    def carried(self: TaskStatements, row: Row, lane: int) -> Row:
        return {**sound(self, row, lane), "lane": lane, "suspicion": 0, "suspect_of": None}

    return patch.object(TaskStatements, "_carried", carried)
