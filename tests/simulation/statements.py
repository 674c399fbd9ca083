"""The model of the store: what each statement of core/store/sql does, over tables in memory.

One method a file, by the same name and with the same parameters; each runs at one moment, so it is atomic. What they
return and leave behind is compared with PostgreSQL, seed by seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from tests.simulation.tables import ENDED, Row, Tables, new_instance

OPEN_ORDERS = ("cancel", "terminate")


class Statements:
    """Reads and changes the tables. `now` is the database's time in microseconds."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.now = 0

    def passes(self, fence: int) -> bool:
        """What guards every write of a node: `exists (select from nodes where fence = me and status = 'alive')`."""
        return fence in self.tables.nodes and self.tables.nodes[fence]["status"] == "alive"

    # -- nodes --

    def register_node(self, name: str, *columns: Any) -> list[Row]:
        fence = len(self.tables.nodes) + 1
        self.tables.nodes[fence] = {
            "fence": fence, "name": f"{name}-{fence}", "definitions": columns[6], "heartbeat": 0, "status": "alive",
        }  # fmt: skip
        return [{"fence": fence, "now": self.now}]

    def heartbeat(self, fence: int) -> list[Row]:
        node = self.tables.nodes[fence]
        if node["status"] != "alive":
            return []
        node["heartbeat"] += 1
        return [{"heartbeat": node["heartbeat"], "now": self.now}]

    def list_nodes(self) -> list[Row]:
        return [dict(node) for node in self.tables.nodes.values()]

    def is_alive(self, fence: int) -> list[Row]:
        return [{"alive": True}] if self.passes(fence) else []

    def end_node(self, fence: int, status: str, heartbeat: int | None) -> list[Row]:
        node = self.tables.nodes[fence]
        if node["status"] != "alive" or heartbeat not in (None, node["heartbeat"]):
            return []
        node["status"] = status
        return [{"fence": fence}]

    # -- claims --

    def claim_due(
        self, me: int, names: Sequence[str], lane: int, limit: int, digests: Sequence[str]
    ) -> list[Row]:
        digest = dict(zip(names, digests, strict=True))
        due = [
            row for row in self.tables.instances.values()
            if row["definition"] in digest and row["lane"] == lane and row["owner"] is None
            and row["wake_at"] is not None and row["wake_at"] <= self.now
            and (row["status"] != "blocked" or row["blocked_by"] != digest[row["definition"]])
        ]  # fmt: skip
        due.sort(key=lambda row: (row["priority"], row["wake_at"]))
        return [self._claimed(me, row) for row in due[:limit] if self.passes(me)]

    def _claimed(self, me: int, row: Row) -> Row:
        before = dict(row)
        status = "running" if row["status"] in ("pending", "blocked") else row["status"]
        started_at = self.now if row["started_at"] is None else row["started_at"]
        started_on = me if row["started_on"] is None else row["started_on"]
        row.update(owner=me, node=me, wake_at=None, blocked=None, blocked_by=None)
        row.update(status=status, started_at=started_at, started_on=started_on)
        return _claim(row, before, started_at)

    def claim_orders(self, me: int, limit: int) -> list[Row]:
        found = []
        for key, messages in self.tables.inbox.items():
            kinds = {message["kind"] for message in messages.values()} & set(OPEN_ORDERS)
            row = self.tables.instances[key]
            if kinds and row["owner"] is None and row["status"] not in ENDED and (
                "terminate" in kinds or row["started_at"] is None or row["status"] == "blocked"
            ):  # fmt: skip
                found.append(row)
        return [self._ordered(me, row) for row in found[:limit] if self.passes(me)]

    def claim_overdue(self, me: int, limit: int) -> list[Row]:
        found = [
            row for row in self.tables.instances.values()
            if row["deadline"] is not None and row["status"] not in ENDED and row["deadline"] <= self.now
            and row["owner"] is None
            and (row["started_at"] is None or row["status"] == "blocked" or not self._served(row["definition"]))
        ]  # fmt: skip
        found.sort(key=lambda row: row["deadline"])
        return [self._ordered(me, row) for row in found[:limit] if self.passes(me)]

    def _served(self, definition: str) -> bool:
        return any(n["status"] == "alive" and definition in n["definitions"] for n in self.tables.nodes.values())

    def _ordered(self, me: int, row: Row) -> Row:
        before = dict(row)
        row.update(owner=me, node=me, wake_at=None)
        return _claim(row, before, self.now if row["started_at"] is None else row["started_at"])

    def owned(self, me: int) -> list[Row]:
        mine = [row for row in self.tables.instances.values() if row["owner"] == me]
        found = [_claim(row, row, self.now if row["started_at"] is None else row["started_at"]) for row in mine]
        return [{**row, "blocked": False} for row in found]

    def histories(self, keys: Sequence[UUID]) -> list[Row]:
        rows = []
        for key in sorted(keys):
            for event in self.tables.events.get(key, ()):
                rows.append(_part(0, key, event["seq"], name=event["type"], payload=event["data"], **{
                    column: event[column] for column in ("at", "issued", "trail")
                }))  # fmt: skip
            for number, message in sorted(self.tables.inbox.get(key, {}).items()):
                rows.append(_part(2, key, number, name=message["kind"], message=message["message"],
                                  topic=message["name"], payload=message["payload"]))  # fmt: skip
        return rows

    def mail_of_node(self, me: int) -> list[Row]:
        return [
            {"instance": key, "now": self.now, **message}
            for key, messages in sorted(self.tables.inbox.items())
            if self.tables.instances[key]["owner"] == me
            for _, message in sorted(messages.items())
        ]

    def wake_blocked(self, definition: str, digest: str) -> list[Row]:
        for row in self.tables.instances.values():
            if row["status"] == "blocked" and row["definition"] == definition and row["owner"] is None:
                if row["blocked_by"] not in (None, digest):
                    row.update(wake_at=self.now, lane=0)
        return []

    def release_instances(self, me: int) -> list[Row]:
        return self._freed(me, {})

    def free_instances(self, lost: int) -> list[Row]:
        return self._freed(lost, {"lost_owner": lost})

    def _freed(self, owner: int, also: Row) -> list[Row]:
        held = [row for row in self.tables.instances.values() if row["owner"] == owner]
        for row in held:
            row.update(owner=None, lane=0, wake_at=self.now, **also)
            row["suspicion"] += bool(also)
        return [{"key": row["key"]} for row in held]

    def free_tasks(self, _worker: int) -> list[Row]:
        return []

    # -- the journal --

    def insert_owned(self, me: int, *columns: Sequence[Any]) -> list[Row]:
        inserted = []
        for start in sorted(_unnest(columns), key=lambda start: str(start[1])):
            key, id_, definition, version, priority, at, created_by, input_, digest = start
            if id_ not in self.tables.ids and self.passes(me):
                self._insert(new_instance(
                    key, id_, definition, version, status="running", owner=me, node=me, started_on=me,
                    priority=priority, created_at=at, started_at=at, created_by=created_by, input=input_, digest=digest,
                ))  # fmt: skip
                inserted.append({"key": key})
        return inserted

    def _insert(self, row: Row) -> None:
        self.tables.instances[row["key"]] = row
        self.tables.ids[row["id"]] = row["key"]

    def lock_instances(self, keys: Sequence[UUID]) -> list[Row]:
        rows = [self.tables.instances[key] for key in sorted(set(keys)) if key in self.tables.instances]
        return [{"key": row["key"], "owner": row["owner"], "mail": row["mail"]} for row in rows]

    def insert_events(self, me: int, *columns: Sequence[Any]) -> list[Row]:
        written = []
        for key, seq, type_, at, issued, trail, data in _unnest(columns):
            history = self.tables.events.setdefault(key, [])
            if any(event["seq"] == seq for event in history):
                raise asyncpg.UniqueViolationError(f"events_pkey: ({key}, {seq}) exists")
            if self.passes(me):
                row = {"seq": seq, "type": type_, "at": at, "issued": issued, "trail": trail, "data": data}
                history.append(row)
                history.sort(key=lambda event: event["seq"])
                written.append(row)
        return written

    def set_deadlines(self, me: int, *columns: Sequence[Any]) -> list[Row]:
        return [self._set(key, deadline=at) for key, at in _unnest(columns) if self.passes(me)]

    def update_instances(self, me: int, *columns: Sequence[Any] | None) -> list[Row]:
        written = []
        for change in _unnest(columns):
            key, status, release, wake_at, waits, result, error, ended_at, blocked_by, blocked = change
            if self.passes(me):
                freed = {"owner": None, "lane": 0} if release else {}
                written.append(self._set(
                    key, status=status, wake_at=wake_at, waits=waits, result=result, error=error, ended_at=ended_at,
                    blocked_by=blocked_by, blocked=blocked, suspicion=0, lost_owner=None, **freed,
                ))  # fmt: skip
        return written

    def _set(self, key: UUID, **columns: Any) -> Row:
        row = self.tables.instances[key]
        row.update(columns)
        return row

    def delete_leftovers(self, me: int, keys: Sequence[UUID]) -> list[Row]:
        return [row for key in keys if self.passes(me) for row in self.tables.inbox.pop(key, {}).values()]

    def delete_messages(self, me: int, keys: Sequence[UUID], numbers: Sequence[int]) -> list[Row]:
        gone = []
        for key, number in zip(keys, numbers, strict=True):
            message = self.tables.inbox.get(key, {}).pop(number, None) if self.passes(me) else None
            gone += [message] if message is not None else []
        return gone

    def last_events(self, keys: Sequence[UUID]) -> list[Row]:
        rows = [self.tables.instances[key] for key in keys if key in self.tables.instances]
        return [
            {"key": row["key"], "owner": row["owner"], "status": row["status"], "seq": self._last(row["key"])}
            for row in rows
        ]

    def _last(self, key: UUID) -> int:
        history = self.tables.events.get(key)
        return int(history[-1]["seq"]) if history else 0

    # -- clients --

    def start_pending(
        self, key: UUID, id_: str, definition: str, version: str, priority: int, created_by: str, input_: str,
        digest: bytes, timeout: float | None,
    ) -> list[Row]:  # fmt: skip
        if id_ in self.tables.ids:
            return []
        deadline = None if timeout is None else self.now + round(timeout * 1_000_000)
        self._insert(new_instance(
            key, id_, definition, version, wake_at=self.now, priority=priority, created_at=self.now,
            created_by=created_by, input=input_, digest=digest, deadline=deadline,
        ))  # fmt: skip
        return [{"key": key}]

    def send_messages(self, *columns: Sequence[Any]) -> list[Row]:
        messages = list(_unnest(columns))
        return [
            self._sent(key, [message for message in messages if message[0] == key])
            for key in sorted({message[0] for message in messages})
        ]

    def _sent(self, key: UUID, messages: list[tuple[Any, ...]]) -> Row:
        row = self.tables.instances.get(key)
        answer = {"instance": key, "mail": None, "owner": None, "taken": False, "known": row is not None, "ended": None}
        if row is None or row["status"] in ENDED:
            return {**answer, "ended": None if row is None else True}
        orders = any(message[1] in OPEN_ORDERS for message in messages)
        if row["owner"] is None:
            self._wake(row, orders=orders)
        for _, kind, name, message, payload in messages:
            row["mail"] += 1
            self.tables.inbox.setdefault(key, {})[row["mail"]] = {
                "number": row["mail"], "kind": kind, "name": name, "message": message, "payload": payload,
            }  # fmt: skip
        return {**answer, "mail": row["mail"], "owner": row["owner"], "taken": True, "ended": False}

    def _wake(self, row: Row, *, orders: bool) -> None:
        if row["started_at"] is not None:
            row["lane"] = 0
        if orders or row["status"] not in ("paused", "blocked"):
            row["wake_at"] = self.now

    def instance_by_id(self, id_: str) -> list[Row]:
        key = self.tables.ids.get(id_)
        return [] if key is None else self.instances_by_key([key])

    def instances_by_key(self, keys: Sequence[UUID]) -> list[Row]:
        return [self._view(self.tables.instances[key]) for key in keys if key in self.tables.instances]

    def _view(self, row: Row) -> Row:
        hidden = ("lane", "suspicion", "lost_owner", "blocked_by")
        names = {fence: node["name"] for fence, node in self.tables.nodes.items()}
        shown = {column: value for column, value in row.items() if column not in hidden}
        return {**shown, "node": names.get(row["node"]), "started_on": names.get(row["started_on"])}

    def events_of(self, key: UUID, after: int, limit: int) -> list[Row]:
        return [dict(event) for event in self.tables.events.get(key, ()) if event["seq"] > after][:limit]

    def inbox_of(self, key: UUID) -> list[Row]:
        return [dict(message) for _, message in sorted(self.tables.inbox.get(key, {}).items())]


def _unnest(columns: Sequence[Sequence[Any] | None]) -> Iterable[tuple[Any, ...]]:
    """Rows of parallel arrays; a null stands for a column of nulls."""
    rows = max(len(column) for column in columns if column is not None)
    return zip(*([None] * rows if column is None else column for column in columns), strict=True)


def _claim(row: Row, before: Row, started_at: int) -> Row:
    """What a claim returns of a row."""
    kept = ("key", "id", "definition", "version", "status", "mail", "input", "created_at", "deadline")
    return {
        **{column: row[column] for column in kept}, "started_at": started_at, "lost_owner": before["lost_owner"],
        "never_started": before["started_at"] is None, "blocked": before["status"] == "blocked",
    }  # fmt: skip


def _part(kind: int, key: UUID, number: int, **columns: Any) -> Row:
    """A row of `histories`."""
    return {
        "kind": kind, "instance": key, "number": number, "name": "", "at": None, "issued": 0, "trail": 0,
        "message": "", "topic": "", "payload": None, **columns,
    }  # fmt: skip
