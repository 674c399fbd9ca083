"""One journal batch as one transaction: the verb `write`.

The order of statements is the order of locks: fence (shared), new instance rows by id, existing rows by key (also
of those whose tasks are deleted: who deletes a task has locked its instance first), then only rows that nobody else
can want. A write that no longer fits (row not mine, new mail, id taken) is dropped before anything of it is
inserted; only what cannot be explained so is a fault, and rolls the batch back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from orquestrax.base import faultpoint
from orquestrax.core.store.columns import array, array_or_null, documents
from orquestrax.core.store.fence import Fence, commit
from orquestrax.core.store.statements import statement
from orquestrax.core.store.taskrows import columns_of
from orquestrax.model.rows import RowChange, Verdict, Write


class Miscount(Exception):
    """Fewer rows were written than sent although the fence holds: some write of the batch is at fault."""


class BatchWriter:
    """Writes batches over one held connection, with its statements prepared once."""

    def __init__(self, connection: asyncpg.Connection, fence: Fence, schema: str) -> None:
        self.connection, self.fence, self.schema = connection, fence, schema
        self._prepared: dict[str, Any] = {}

    async def write(self, writes: Sequence[Write]) -> list[Verdict]:
        """Commit the batch and return a verdict for each write, in their order.

        Raises Fenced when this node was declared dead, asyncpg.PostgresError or Miscount when nothing was written,
        a connection error when the outcome is unknown.
        """
        await self.fence.begin(self.connection)
        refused: dict[int, Verdict] = {}  # by `id`
        await self._insert_starts([write for write in writes if write.start is not None], refused)
        await self._lock_rows(
            [w for w in writes if (w.change is not None or w.withdrawn) and w.start is None], refused
        )
        kept = [write for write in writes if id(write) not in refused] if refused else writes
        await self._insert_events(kept)
        await self._set_deadlines([write for write in kept if write.deadline is not None])
        await self._update_rows([write for write in kept if write.change is not None])
        await self._delete_messages(kept)
        await self._change_tasks(kept)
        await self._hold_tasks([write for write in kept if write.holds is not None])
        faultpoint.reach("journal.before_commit")
        await commit(self.connection)
        faultpoint.reach("journal.after_commit")
        return (
            [refused.get(id(w), Verdict.COMMITTED) for w in writes]
            if refused
            else [Verdict.COMMITTED] * len(writes)
        )

    async def _insert_starts(self, starts: list[Write], refused: dict[int, Verdict]) -> None:
        if not starts:
            return
        new = [(write.start, write.started_at) for write in starts if write.start is not None]
        rows = await self._fetch(
            "insert_owned",
            array([start.key for start, _ in new]),
            array([start.id for start, _ in new]),
            array([start.definition for start, _ in new]),
            array([start.version for start, _ in new]),
            array([start.priority for start, _ in new]),
            array([at for _, at in new]),
            array([start.created_by for start, _ in new]),
            documents([start.input for start, _ in new]),
            array([f"\\x{start.digest.hex()}" for start, _ in new]),
        )
        inserted = {row["key"] for row in rows}
        if not inserted:
            await self.fence.check(self.connection, self.schema)
        for write in starts:
            write.parked = _releases(write)
            if write.key not in inserted:
                refused[id(write)] = Verdict.TAKEN

    async def _lock_rows(self, changes: list[Write], refused: dict[int, Verdict]) -> None:
        if not changes:
            return
        statement = await self._prepare("lock_instances")
        rows = {row["key"]: row for row in await statement.fetch(array([w.key for w in changes]))}
        for write in changes:
            row = rows.get(write.key)
            if row is None or row["owner"] != self.fence.number:
                refused[id(write)] = Verdict.LOST
            elif row["mail"] != write.read_mail and write.strict:
                refused[id(write)] = Verdict.MAIL
            else:
                write.parked = _releases(write) and row["mail"] == write.read_mail

    async def _insert_events(self, writes: Sequence[Write]) -> None:
        events = [event for write in writes for event in write.events]
        if not events:
            return
        await self._execute(
            "insert_events",
            len(events),
            array([write.key for write in writes for _ in write.events]),
            array([event.seq for event in events]),
            array([event.type for event in events]),
            array([event.at for event in events]),
            array([event.issued for event in events]),
            array([event.trail for event in events]),
            documents([e.data if isinstance(e.data, bytes) else e.data.encode() for e in events]),
        )

    async def _set_deadlines(self, writes: list[Write]) -> None:
        if writes:
            columns = [write.key for write in writes], [write.deadline for write in writes]
            await self._execute("set_deadlines", len(writes), *columns)

    async def _update_rows(self, writes: list[Write]) -> None:
        if not writes:
            return
        changes = [(write.key, _settled(write)) for write in writes]
        await self._execute(
            "update_instances",
            len(changes),
            array([key for key, _ in changes]),
            array([change.status for _, change in changes]),
            array([change.release for _, change in changes]),
            array_or_null([change.wake_at for _, change in changes]),
            documents([change.waits for _, change in changes]),
            documents([change.result for _, change in changes]),
            documents([change.error for _, change in changes]),
            array_or_null([change.ended_at for _, change in changes]),
            array_or_null([change.blocked_by for _, change in changes]),
            documents([change.blocked for _, change in changes]),
        )
        ended = [write.key for write in writes if write.ends and write.start is None]
        if ended:
            await self._fetch("delete_leftovers", array(ended))

    async def _hold_tasks(self, writes: list[Write]) -> None:
        """Also those that this same batch has inserted."""
        if writes:
            await self._fetch(
                "hold_tasks", [write.key for write in writes], [write.holds for write in writes]
            )

    async def _delete_messages(self, writes: Sequence[Write]) -> None:
        """Those that are gone already are no fault: a first try, of unknown outcome, has deleted them."""
        ongoing = [write for write in writes if write.consumed and not write.ends]
        read = [(write.key, number) for write in ongoing for number in write.consumed]
        if read and await self._affected(
            "delete_messages", [key for key, _ in read], [n for _, n in read]
        ) < len(read):
            await self.fence.check(self.connection, self.schema)

    async def _change_tasks(self, writes: Sequence[Write]) -> None:
        """Steps for the cluster's queues, and those that nobody waits for; a task that is gone already is no fault."""
        if asking := [write for write in writes if write.tasks]:
            ended = {write.key for write in writes if write.ends}  # in this same batch: nobody waits for them
            new = [(write.key, task) for write in asking if write.key not in ended for task in write.tasks]
            if new:
                await self._execute("insert_tasks", len(new), *columns_of(new))
        ongoing = [write for write in writes if write.withdrawn and not write.ends]
        gone = [(write.key, command) for write in ongoing for command in write.withdrawn]
        if gone and await self._affected(
            "delete_tasks", [key for key, _ in gone], [command for _, command in gone]
        ) < len(gone):
            await self.fence.check(self.connection, self.schema)

    async def _prepare(self, name: str) -> Any:
        prepared = self._prepared.get(name)
        if prepared is None:
            prepared = self._prepared[name] = await self.connection.prepare(statement(self.schema, name))
        return prepared

    async def _fetch(self, name: str, *columns: Any) -> Any:
        return await (await self._prepare(name)).fetch(self.fence.number, *columns)

    async def _affected(self, name: str, *columns: Any) -> int:
        """Run a write and return how many rows it has touched."""
        prepared = await self._prepare(name)
        await prepared.fetch(self.fence.number, *columns)
        return int(prepared.get_statusmsg().rsplit(" ", 1)[1])

    async def _execute(self, name: str, expected: int, *columns: Any) -> None:
        """Run a write that must touch exactly `expected` rows."""
        written = await self._affected(name, *columns)
        if written != expected:
            await self.fence.check(self.connection, self.schema)
            raise Miscount(f"{name} wrote {written} of {expected} rows")


def _releases(write: Write) -> bool:
    return write.change is not None and write.change.release


def _settled(write: Write) -> RowChange:
    """The change as it holds: a park that met new mail keeps the row, with everything else of it."""
    change = write.change
    assert change is not None
    if not change.release or write.parked:
        return change
    return RowChange(status=change.status, waits=change.waits)
