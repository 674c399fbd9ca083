"""The statements of the journal's batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from tests.simulation.model.tables import Model, Row, array_of, documents_of, new_instance, unnest


class JournalStatements(Model):
    """In the order in which a batch runs them."""

    def insert_owned(self, me: int, *columns: str) -> list[Row]:
        keys, *names, inputs, digests = columns
        read = array_of(keys, UUID), *map(array_of, names), documents_of(inputs), array_of(digests, _bytes)
        inserted = []
        for start in sorted(unnest(read), key=lambda start: str(start[1])):
            key, id_, definition, version, priority, at, created_by, input_, digest = start
            if id_ not in self.tables.ids and self.passes(me):
                self.insert(new_instance(
                    key, id_, definition, version, status="running", owner=me, node=me, started_on=me,
                    priority=priority, created_at=at, started_at=at, created_by=created_by, input=input_, digest=digest,
                ))  # fmt: skip
                inserted.append({"key": key})
        return inserted

    def lock_instances(self, keys: str) -> list[Row]:
        asked = sorted(set(array_of(keys, UUID) or ()))
        rows = [self.tables.instances[key] for key in asked if key in self.tables.instances]
        return [{"key": row["key"], "owner": row["owner"], "mail": row["mail"]} for row in rows]

    def insert_events(self, me: int, *columns: str) -> list[Row]:
        if not self.passes(me):  # the condition leaves no row that could be there twice
            return []
        keys, *numbers, payloads = columns
        written = []
        read = array_of(keys, UUID), *map(array_of, numbers), documents_of(payloads)
        for key, seq, type_, at, issued, trail, data in unnest(read):
            history = self.tables.events.setdefault(key, [])
            if any(event["seq"] == seq for event in history):
                raise asyncpg.UniqueViolationError(f"events_pkey: ({key}, {seq}) exists")
            row = {"seq": seq, "type": type_, "at": at, "issued": issued, "trail": trail, "data": data}
            history.append(row)
            history.sort(key=lambda event: event["seq"])
            written.append(row)
        return written

    def set_deadlines(self, me: int, *columns: Sequence[Any]) -> list[Row]:
        return [self._set(key, deadline=at) for key, at in unnest(columns) if self.passes(me)]

    def update_instances(self, me: int, keys: str, *columns: str | None) -> list[Row]:
        kinds = (
            array_of,
            array_of,
            array_of,
            documents_of,
            documents_of,
            documents_of,
            array_of,
            array_of,
            documents_of,
        )
        read = [kind(column) for kind, column in zip(kinds, columns, strict=True)]
        written = []
        for change in unnest([array_of(keys, UUID), *read]):
            key, status, release, wake_at, waits, result, error, ended_at, blocked_by, blocked = change
            if self.passes(me):
                if status == "paused" and waits is None:
                    waits = self.tables.instances[key]["waits"]
                freed = {"owner": None, "lane": 0, "suspicion": 0, "lost_owner": None} if release else {}
                written.append(self._set(
                    key, status=status, wake_at=wake_at, waits=waits, result=result, error=error, ended_at=ended_at,
                    blocked_by=blocked_by, blocked=blocked, **freed,
                ))  # fmt: skip
        return written

    def _set(self, key: UUID, **columns: Any) -> Row:
        row = self.tables.instances[key]
        row.update(columns)
        return row

    def delete_leftovers(self, me: int, keys: str) -> list[Row]:
        ended = array_of(keys, UUID) or ()
        if not self.passes(me):
            return []
        for task in [task for task in self.tables.tasks if task[0] in ended]:
            del self.tables.tasks[task]
        return [row for key in ended for row in self.tables.inbox.pop(key, {}).values()]

    def delete_messages(self, me: int, keys: Sequence[UUID], numbers: Sequence[int]) -> list[Row]:
        gone = []
        for key, number in zip(keys, numbers, strict=True):
            message = self.tables.inbox.get(key, {}).pop(number, None) if self.passes(me) else None
            gone += [message] if message is not None else []
        return gone

    def last_events(self, keys: Sequence[UUID]) -> list[Row]:
        rows = [self.tables.instances[key] for key in keys if key in self.tables.instances]
        return [
            {
                "key": row["key"],
                "owner": row["owner"],
                "status": row["status"],
                "seq": self.last_seq(row["key"]),
            }
            for row in rows
        ]


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("\\x"))
