"""What a node that runs steps asks of the cluster's queues. Each verb is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from orquestrax.base import faultpoint
from orquestrax.core.store.database import Database
from orquestrax.core.store.fence import commit
from orquestrax.core.store.held import Held
from orquestrax.model.jobs import BodyKey
from orquestrax.model.options import Executor
from orquestrax.model.tasks import ClaimedTask, QueueView, TaskMessage


class TaskStore(Held):
    """The verbs of one incarnation over a held connection of their own; callers take turns."""

    name: ClassVar[str] = "orquestrax tasks"

    async def claim(
        self,
        free: Mapping[Executor, int],
        steps: Collection[str],
        queues: Collection[str] | None,
        narrow: Mapping[str, int],
        suspects: Sequence[UUID] = (),
    ) -> list[ClaimedTask]:
        """Take tasks of these steps, first those that are due first.

        free      how many at most, by executor
        queues    of these queues alone; None for all
        narrow    how many at most of a queue, for those that have a limit here
        suspects  instances under suspicion here: beside one of them only its own steps are tried
        """
        rows = await self._fenced(
            "claim_tasks",
            list(free),
            list(free.values()),
            list(steps),
            None if queues is None else list(queues),
            list(narrow),
            list(narrow.values()),
            list(suspects),
        )
        return [ClaimedTask(**dict(row)) for row in rows]

    async def claim_failed(self, limit: int) -> list[ClaimedTask]:
        """Take steps that will not run: at-most-once ones that were lost with their worker, and those out of time."""
        return [ClaimedTask(**dict(row)) for row in await self._fenced("claim_failed", limit)]

    async def tell(self, messages: Sequence[TaskMessage]) -> dict[BodyKey, int | None]:
        """Send what came of tasks to their instances; returns those that were heard, with the owner to hint.

        What is missing is not this node's any more. Sent again after an unknown outcome, it is heard once. Raises
        Fenced if this node was declared dead.
        """
        async with self._connected() as connection:
            await self.fence.begin(connection)
            columns = zip(*(_row(message) for message in messages), strict=True)
            rows = await connection.fetch(
                self._sql("complete_tasks"), self.fence.number, *(list(column) for column in columns)
            )
            if not rows:
                await self.fence.check(connection, self._address.schema)
            faultpoint.reach("complete_tasks.before_commit")
            await commit(connection)
            faultpoint.reach("complete_tasks.after_commit")
            return {BodyKey(row["instance"], row["command"]): row["owner"] for row in rows}

    async def give_back(self, tasks: Mapping[BodyKey, int | None]) -> None:
        """What this node has taken at these times, and not begun, waits again."""
        await self._fenced(
            "return_tasks",
            [key.instance for key in tasks],
            [key.command for key in tasks],
            list(tasks.values()),
        )

    async def took_over(self, taken: Mapping[int, int]) -> None:
        """Note how many more steps of which dead nodes go on here."""
        await self._fenced("note_takeovers", list(taken), [0] * len(taken), list(taken.values()))

    async def held(self) -> dict[BodyKey, tuple[int, int | None]]:
        """The attempts that this node has, as the database sees it, and when it took them."""
        rows = await self._read("held_tasks", self.fence.number)
        return {BodyKey(row["instance"], row["command"]): (row["attempt"], row["started_at"]) for row in rows}

    async def peers(self) -> list[list[str]]:
        """Of every other live node that runs steps, the queues that it serves."""
        return [row["queues"] for row in await self._read("peers", self.fence.number)]


async def queues_of(database: Database) -> list[QueueView]:
    """The queues of the cluster, by name."""
    return [QueueView(**dict(row)) for row in await database.fetch("queues")]


def _row(message: TaskMessage) -> tuple[Any, ...]:
    return (
        message.instance,
        message.command,
        message.attempt,
        message.kind,
        message.step,
        message.message,
        message.payload,
        message.ends,
    )
