"""The tables of the model: rows as dicts with the columns of the schema, as much of them as the engine reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

Row = dict[str, Any]
ENDED = ("completed", "failed", "cancelled", "terminated")


@dataclass
class Tables:
    """All that is committed."""

    instances: dict[UUID, Row] = field(default_factory=dict)
    ids: dict[str, UUID] = field(default_factory=dict)
    events: dict[UUID, list[Row]] = field(default_factory=dict)
    inbox: dict[UUID, dict[int, Row]] = field(default_factory=dict)
    nodes: dict[int, Row] = field(default_factory=dict)

    def copied(self) -> Tables:
        """What a rollback goes back to."""
        return Tables(
            {key: dict(row) for key, row in self.instances.items()},
            dict(self.ids),
            {key: list(rows) for key, rows in self.events.items()},
            {key: dict(rows) for key, rows in self.inbox.items()},
            {fence: dict(row) for fence, row in self.nodes.items()},
        )


def new_instance(key: UUID, id_: str, definition: str, version: str, **columns: Any) -> Row:
    """A row with the schema's defaults."""
    return {
        "key": key, "id": id_, "definition": definition, "version": version, "status": "pending", "owner": None,
        "lane": 1, "priority": 2, "wake_at": None, "mail": 0, "suspicion": 0, "lost_owner": None, "node": None,
        "started_on": None, "created_at": 0, "started_at": None, "ended_at": None, "deadline": None,
        "created_by": "", "digest": b"", "input": "", "result": None, "error": None, "waits": None,
        "blocked_by": None, "blocked": None, "state": None, **columns,
    }  # fmt: skip
