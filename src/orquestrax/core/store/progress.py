"""How far running steps have got: one row for each step that says something, in a table of its own.

Nothing here is a promise. It is written in batches off the commit path, by the node that runs the body; the row goes
with the step. Histories know nothing of it, except that the last heartbeat is handed to the next attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from orquestrax.core.store.database import Database
from orquestrax.model.jobs import Said


class ProgressView(msgspec.Struct, frozen=True, kw_only=True):
    """What a step last said of itself.

    command     the number of the step within its instance, as in the data of its events
    attempt     the attempt that said it
    node        name of the node that runs it
    done, total how far it is, in units of its own; None where it has not said
    note        what it is doing, "" for nothing
    details     JSON of its last heartbeat, None if there was none with details
    told_at     when, in µs by the database's clock
    """

    command: int
    attempt: int
    node: str | None
    done: float | None
    total: float | None
    note: str
    details: str | None
    told_at: int


class ProgressStore:
    """The verbs, each one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, keys: Sequence[UUID]) -> dict[UUID, list[ProgressView]]:
        """What the steps of these instances last said, in the order of their commands; silent ones are left out."""
        found: dict[UUID, list[ProgressView]] = {}
        for row in await self._database.fetch("progress_of", list(keys)) if keys else ():
            fields = dict(row)
            found.setdefault(fields.pop("instance"), []).append(ProgressView(**fields))
        return found

    async def write(self, fence: int, batch: Sequence[Said]) -> None:
        """Keep what bodies of this node said; nothing is kept of a node that was declared dead."""
        columns = zip(*(msgspec.structs.astuple(said) for said in batch), strict=True)
        await self._database.fetch("write_progress", fence, *map(list, columns))

    async def delete(self, fence: int, steps: Sequence[tuple[UUID, int]]) -> None:
        """These steps (instance, command) have ended here; what another living node says of them stays."""
        await self._database.fetch(
            "delete_progress", fence, [key for key, _ in steps], [number for _, number in steps]
        )

    async def sweep(self, fence: int) -> None:
        """Delete what belongs to instances that have ended, if this node leads."""
        await self._database.fetch("sweep_progress", fence)
