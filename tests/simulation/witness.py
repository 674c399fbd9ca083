"""Witnesses: they see every transaction and every body that begins, and say at once what no node may do.

What a test with real processes can only judge afterwards, by histories, is seen here as it happens: a write by a node
that is dead, a task that two nodes have, a result from somebody whose task it is not, a sweep by two leaders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg

from orquestrax.core.store.deaths import Death
from orquestrax.model.rows import Verdict

if TYPE_CHECKING:
    from orquestrax.model.jobs import Job
    from tests.simulation.incarnation import Incarnation

NODES_WRITE: Final = frozenset(
    {"write", "claim_due", "claim_orders", "claim_overdue", "claim_tasks", "claim_failed", "complete_tasks"}
)
Task = tuple[UUID, int]


class Witnesses:
    """`broken` is what they have seen.

    holders         by task the node that has taken it
    lost, released  when nodes were found dead, or ended cleanly, by fence
    swept           when nodes began to sweep
    """

    def __init__(self, alive: Callable[[int], bool], paused: Callable[[UUID], bool]) -> None:
        self._alive, self._paused = alive, paused
        self.broken: list[str] = []
        self.holders: dict[Task, int] = {}
        self.lost: dict[int, int] = {}
        self.released: dict[int, int] = {}
        self.swept: list[int] = []
        self.queued: set[tuple[int, UUID, int, int]] = set()

    def transaction(self, now: int, fence: int, label: str, asked: Any, answer: Any) -> None:
        """A transaction of this node, or about it, has taken place."""
        if isinstance(answer, asyncpg.UniqueViolationError):
            self.broken.append(f"I5: node {fence} wrote what was written: {answer}")
        if isinstance(answer, Exception):
            return
        verb = label.partition(" ")[0]
        if verb in NODES_WRITE and _wrote(verb, answer) and not self._alive(fence):
            self.broken.append(f"I4: node {fence} is dead and did {label}")
        if verb == "claim_tasks":
            for row in answer:
                if self._paused(row["instance"]):
                    self.broken.append(
                        f"node {fence} took command {row['command']} of {row['instance_id']}, which is paused"
                    )
        if verb in ("claim_tasks", "claim_failed"):
            self._taken(fence, [(row["instance"], row["command"]) for row in answer])
        elif verb == "complete_tasks":
            self._told(fence, asked, dict(answer))
        elif verb == "return_tasks":
            self._given_back(fence, [(row["instance"], row["command"]) for row in answer])
        elif verb in ("release", "sweep") or isinstance(answer, Death):
            self._freed(fence)
            (self.released if verb == "release" else self.lost).setdefault(fence, now)

    def _taken(self, fence: int, tasks: Iterable[Task]) -> None:
        for task in tasks:
            holder = self.holders.get(task)
            if holder is not None:
                self.broken.append(f"I16: node {fence} took command {task[1]}, which node {holder} has")
            self.holders[task] = fence

    def _told(self, fence: int, messages: Iterable[Any], heard: dict[Any, Any]) -> None:
        for message in messages:
            task = (message.instance, message.command)
            if task not in heard:
                continue
            if self.holders.get(task) != fence:
                self.broken.append(f"I16: node {fence} told of command {task[1]}, which it does not have")
            if message.ends:
                self.holders.pop(task, None)

    def _given_back(self, fence: int, tasks: Iterable[Task]) -> None:
        for task in tasks:
            if self.holders.get(task) == fence:
                del self.holders[task]

    def _freed(self, fence: int) -> None:
        self.holders = {task: holder for task, holder in self.holders.items() if holder != fence}

    def body(self, incarnation: Incarnation, job: Job) -> None:
        """A job is about to start: none on a node that was declared dead (I15), no new one where the node drains."""
        fence, draining = incarnation.fence.number, incarnation.orchestrator.turns.acting.draining
        if not self._alive(fence):
            self.broken.append(f"I15: node {fence} is dead and started a body")
        if draining and not job.begun:
            self.broken.append(f"I15: node {fence} drains and started a body of {job.instance_id}")
        if job.claimed:
            self.queued.add((fence, job.key.instance, job.key.command, job.attempt))

    def sweep(self, now: int, fence: int, leader: dict[str, Any]) -> None:
        """A node that believes to lead begins to sweep: nobody else may hold the lead."""
        self.swept.append(now)
        if leader["fence"] != fence or leader["until"] <= now:
            self.broken.append(
                f"node {fence} sweeps, and the lead is {leader['fence']}'s until {leader['until']}"
            )


def _wrote(verb: str, answer: Any) -> bool:
    return Verdict.COMMITTED in answer if verb == "write" else bool(answer)
