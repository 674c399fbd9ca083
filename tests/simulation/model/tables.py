"""The tables of the model: rows as dicts with the columns of the schema, as much of them as the engine reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

Row = dict[str, Any]
ENDED = ("completed", "failed", "cancelled", "terminated")
QUIET = ("taken_over", "step_started", "steps_queued")  # events that are no progress


@dataclass
class Tables:
    """All that is committed."""

    instances: dict[UUID, Row] = field(default_factory=dict)
    ids: dict[str, UUID] = field(default_factory=dict)
    events: dict[UUID, list[Row]] = field(default_factory=dict)
    inbox: dict[UUID, dict[int, Row]] = field(default_factory=dict)
    tasks: dict[tuple[UUID, int], Row] = field(default_factory=dict)
    nodes: dict[int, Row] = field(default_factory=dict)
    leader: Row = field(default_factory=lambda: {"fence": None, "term": 0, "until": 0})

    def copied(self) -> Tables:
        """What a rollback goes back to."""
        return Tables(
            {key: dict(row) for key, row in self.instances.items()},
            dict(self.ids),
            {key: list(rows) for key, rows in self.events.items()},
            {key: dict(rows) for key, rows in self.inbox.items()},
            {key: dict(row) for key, row in self.tasks.items()},
            {fence: dict(row) for fence, row in self.nodes.items()},
            dict(self.leader),
        )


def new_instance(key: UUID, id_: str, definition: str, version: str, **columns: Any) -> Row:
    """A row with the schema's defaults."""
    return {
        "key": key, "id": id_, "definition": definition, "version": version, "status": "pending", "owner": None,
        "lane": 1, "priority": 2, "wake_at": None, "mail": 0, "suspicion": 0, "lost_owner": None, "node": None,
        "started_on": None, "created_at": 0, "started_at": None, "ended_at": None, "deadline": None,
        "created_by": "", "digest": b"", "input": "", "result": None, "error": None, "waits": None,
        "blocked_by": None, "blocked": None, "state": None, "lost_seq": None, "suspect_of": None, **columns,
    }  # fmt: skip


class Model:
    """What all groups of statements share. `now` is the database's time in microseconds."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.now = 0

    def passes(self, fence: int) -> bool:
        """What guards every write of a node: `exists (select from nodes where fence = me and status = 'alive')`."""
        return fence in self.tables.nodes and self.tables.nodes[fence]["status"] == "alive"

    def insert(self, row: Row) -> None:
        """A new instance."""
        self.tables.instances[row["key"]] = row
        self.tables.ids[row["id"]] = row["key"]

    def last_seq(self, key: UUID) -> int:
        """The last event of a history."""
        history = self.tables.events.get(key)
        return int(history[-1]["seq"]) if history else 0


def is_still(tables: Any, row: Row) -> bool:
    """Whether a suspect has made no progress: nothing has happened to it since its last owner was lost."""
    return row["suspicion"] > 0 and not any(
        event["seq"] > row["lost_seq"] and event["type"] not in QUIET
        for event in tables.events.get(row["key"], ())
    )


def unnest(columns: Sequence[Sequence[Any] | None]) -> Iterable[tuple[Any, ...]]:
    """Rows of parallel arrays; a null stands for a column of nulls."""
    rows = max(len(column) for column in columns if column is not None)
    return zip(*([None] * rows if column is None else column for column in columns), strict=True)


def array_of(text: str | None, make: Callable[[Any], Any] | None = None) -> list[Any] | None:
    """What PostgreSQL reads from an array literal of `core.store.columns`."""
    if text is None:
        return None
    values = json.loads(f"[{text[1:-1]}]")
    return values if make is None else [make(value) for value in values]


def documents_of(text: str) -> list[str | None]:
    """As `string_to_array(…, chr(30), '')`."""
    return [part or None for part in text.split("\x1e")]
