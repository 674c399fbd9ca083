"""The statements of claims: what is due, its histories, the mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from tests.simulation.model.tables import ENDED, Model, Row

ORDERS = ("cancel", "terminate", "pause", "resume")


class ClaimStatements(Model):
    """What a node takes, and what it reads of it."""

    def claim_due(
        self,
        me: int,
        names: Sequence[str],
        lanes: Sequence[int],
        rooms: Sequence[int],
        digests: Sequence[str],
        most: int,
    ) -> list[Row]:
        digest, room = dict(zip(names, digests, strict=True)), dict(zip(lanes, rooms, strict=True))
        due = [
            row for row in self.tables.instances.values()
            if row["definition"] in digest and row["lane"] in room and row["owner"] is None
            and row["wake_at"] is not None and row["wake_at"] <= self.now
            and (row["status"] != "blocked" or row["blocked_by"] != digest[row["definition"]])
        ]  # fmt: skip
        due.sort(key=lambda row: (row["lane"], row["priority"], row["wake_at"], row["key"]))
        taken = [row for place, row in enumerate(due, 1) if place <= room[row["lane"]]][:most]
        return [self._claimed(me, row) for row in taken if self.passes(me)]

    def _claimed(self, me: int, row: Row) -> Row:
        before = dict(row)
        status = "running" if row["status"] in ("pending", "blocked") else row["status"]
        started_on = me if row["started_on"] is None else row["started_on"]
        row.update(owner=me, node=me, wake_at=None, blocked=None, blocked_by=None)
        row.update(status=status, started_on=started_on)
        row["started_at"] = self.now if row["started_at"] is None else row["started_at"]
        return _claim(row, before)

    def claim_orders(self, me: int, limit: int) -> list[Row]:
        claimed = []
        for key in self.tables.inbox:
            row, kinds = self.tables.instances[key], self._orders(key)
            free = row["owner"] is None and row["status"] not in ENDED
            if free and self.passes(me) and len(claimed) < limit and self._needs_no_code(row, kinds):
                steered = "terminate" not in kinds and (
                    "cancel" not in kinds or row["started_at"] is not None
                )
                steered = steered and row["status"] != "blocked"
                claimed.append({**self._ordered(me, row), "steered": steered})
        return claimed

    def _orders(self, key: UUID) -> set[str]:
        return {message["kind"] for message in self.tables.inbox[key].values()} & set(ORDERS)

    def _needs_no_code(self, row: Row, kinds: set[str]) -> bool:
        blocked = row["status"] == "blocked"
        return (
            "terminate" in kinds
            or ("cancel" in kinds and (row["started_at"] is None or blocked))
            or (bool(kinds & {"pause", "resume"}) and not blocked and row["lost_owner"] is None)
        )

    def claim_overdue(self, me: int, limit: int) -> list[Row]:
        found = [
            row for row in self.tables.instances.values()
            if row["deadline"] is not None and row["status"] not in ENDED and row["deadline"] <= self.now
            and row["owner"] is None and row["status"] != "paused"
            and (row["started_at"] is None or row["status"] == "blocked" or not self._served(row["definition"]))
        ]  # fmt: skip
        found.sort(key=lambda row: row["deadline"])
        return [self._ordered(me, row) for row in found[:limit] if self.passes(me)]

    def _served(self, definition: str) -> bool:
        return any(
            n["status"] == "alive" and definition in n["definitions"] for n in self.tables.nodes.values()
        )

    def _ordered(self, me: int, row: Row) -> Row:
        before = dict(row)
        row.update(owner=me, node=me, wake_at=None)
        return _claim(row, before)

    def owned(self, me: int) -> list[Row]:
        mine = [row for row in self.tables.instances.values() if row["owner"] == me]
        return [
            {
                **_claim(row, row),
                "lost_owner": self._untold(row),
                "blocked": False,
            }
            for row in sorted(mine, key=lambda row: row["key"])
        ]

    def _untold(self, row: Row) -> int | None:
        """From whom it was taken over, as long as its history does not tell."""
        history = self.tables.events.get(row["key"], ())
        told = (
            any(e["seq"] > row["lost_seq"] and e["type"] == "taken_over" for e in history)
            if row["lost_owner"]
            else 0
        )
        return None if told else row["lost_owner"]

    def histories(self, keys: Sequence[UUID]) -> list[Row]:
        return [
            row for key in sorted(keys) for row in (*self._events(key), *self._queued(key), *self._inbox(key))
        ]

    def _events(self, key: UUID) -> Iterator[Row]:
        for event in self.tables.events.get(key, ()):
            times = {column: event[column] for column in ("at", "issued", "trail")}
            yield _part(0, key, event["seq"], name=event["type"], payload=event["data"], **times)

    def _queued(self, key: UUID) -> Iterator[Row]:
        for instance, command in sorted(self.tables.tasks):
            if instance == key:
                yield _part(1, key, command, name=self.tables.tasks[key, command]["step"])

    def _inbox(self, key: UUID) -> Iterator[Row]:
        for number, message in sorted(self.tables.inbox.get(key, {}).items()):
            said = {"message": message["message"], "topic": message["name"], "payload": message["payload"]}
            yield _part(2, key, number, name=message["kind"], **said)

    def mail_of_node(self, me: int) -> list[Row]:
        return [
            {"instance": key, "now": self.now, **message}
            for key, messages in sorted(self.tables.inbox.items())
            if self.tables.instances[key]["owner"] == me
            for _, message in sorted(messages.items())
        ]

    def wake_blocked(self, definition: str, digest: str) -> list[Row]:
        for row in self.tables.instances.values():
            stuck = row["status"] == "blocked" and row["definition"] == definition and row["owner"] is None
            if stuck and row["blocked_by"] not in (None, digest):
                row.update(wake_at=self.now, lane=2 if row["suspicion"] > 1 else 0)
        return []


def _claim(row: Row, before: Row) -> Row:
    """What a claim returns of a row."""
    kept = (
        "key",
        "id",
        "definition",
        "version",
        "status",
        "started_at",
        "mail",
        "input",
        "created_at",
        "deadline",
        "suspicion",
    )
    return {
        **{column: row[column] for column in kept}, "lost_owner": before["lost_owner"],
        "never_started": before["started_at"] is None, "blocked": before["status"] == "blocked",
    }  # fmt: skip


def _part(kind: int, key: UUID, number: int, **columns: Any) -> Row:
    """A row of `histories`."""
    return {
        "kind": kind, "instance": key, "number": number, "name": "", "at": None, "issued": 0, "trail": 0,
        "message": "", "topic": "", "payload": None, **columns,
    }  # fmt: skip
