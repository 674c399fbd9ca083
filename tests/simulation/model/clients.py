"""The statements of clients: starts, messages, views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tests.simulation.model.tables import ENDED, Model, Row, new_instance, unnest

ORDERS = {"cancel", "terminate"}
STEERS = {"pause", "resume"}


class ClientStatements(Model):
    """Single statements, without a fence."""

    def start_pending(self, *columns: Sequence[Any]) -> list[Row]:
        starts = list(unnest(columns))
        moments = {start[0]: self.now - (len(starts) - place) for place, start in enumerate(starts, 1)}
        return [
            row
            for start in sorted(starts, key=lambda s: s[1])
            for row in self._stored(moments[start[0]], *start)
        ]

    def _stored(
        self, at: int, key: UUID, id_: str, definition: str, version: str, priority: int, created_by: str, input_: str,
        digest: bytes, timeout: float | None,
    ) -> list[Row]:  # fmt: skip
        if id_ in self.tables.ids:
            return []
        deadline = None if timeout is None else at + round(timeout * 1_000_000)
        self.insert(new_instance(
            key, id_, definition, version, wake_at=at, priority=priority, created_at=at,
            created_by=created_by, input=input_, digest=digest, deadline=deadline,
        ))  # fmt: skip
        return [{"key": key}]

    def send_messages(self, *columns: Sequence[Any]) -> list[Row]:
        messages = list(unnest(columns))
        return [
            self._sent(key, [message for message in messages if message[0] == key])
            for key in sorted({message[0] for message in messages})
        ]

    def _sent(self, key: UUID, messages: list[tuple[Any, ...]]) -> Row:
        row, kinds = self.tables.instances.get(key), {message[1] for message in messages}
        answer = {
            "instance": key, "mail": None, "owner": None, "taken": False, "known": row is not None,
            "status": row and row["status"], "steers": bool(kinds & STEERS), "ended": row and row["status"] in ENDED,
        }  # fmt: skip
        if row is None or answer["ended"] or not self._takes(row, kinds):
            return answer
        if row["owner"] is None:
            self._wake(row, kinds)
        for _, kind, name, message, payload in messages:
            row["mail"] += 1
            self.tables.inbox.setdefault(key, {})[row["mail"]] = {
                "number": row["mail"], "kind": kind, "name": name, "message": message, "payload": payload,
            }  # fmt: skip
        return {**answer, "mail": row["mail"], "owner": row["owner"], "taken": True}

    def _takes(self, row: Row, kinds: set[str]) -> bool:
        if "pause" in kinds and row["status"] == "blocked":
            return False
        pausing = any(
            message["kind"] == "pause" for message in self.tables.inbox.get(row["key"], {}).values()
        )
        return "resume" not in kinds or row["status"] == "paused" or pausing

    def _wake(self, row: Row, kinds: set[str]) -> None:
        if row["started_at"] is not None and row["lane"] != 2:
            row["lane"] = 0
        if kinds - STEERS and (row["status"] not in ("paused", "blocked") or kinds & ORDERS):
            row["wake_at"] = self.now

    def instance_by_id(self, id_: str) -> list[Row]:
        key = self.tables.ids.get(id_)
        return [] if key is None else self.instances_by_key([key])

    def instances_by_key(self, keys: Sequence[UUID]) -> list[Row]:
        return [self._view(self.tables.instances[key]) for key in keys if key in self.tables.instances]

    def _view(self, row: Row) -> Row:
        hidden = ("lane", "suspicion", "lost_owner", "blocked_by", "lost_seq", "suspect_of")
        names = {fence: node["name"] for fence, node in self.tables.nodes.items()}
        shown = {column: value for column, value in row.items() if column not in hidden}
        return {**shown, "node": names.get(row["node"]), "started_on": names.get(row["started_on"])}

    def events_of(self, key: UUID, after: int, limit: int) -> list[Row]:
        return [dict(event) for event in self.tables.events.get(key, ()) if event["seq"] > after][:limit]

    def inbox_of(self, key: UUID) -> list[Row]:
        return [dict(message) for _, message in sorted(self.tables.inbox.get(key, {}).items())]
