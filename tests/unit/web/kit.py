"""Rows as the store hands them out, made by hand. Times are milliseconds here, microseconds there."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

import msgspec

from orquestrax.core.store.clientverbs import DefinitionView, EventView, InstanceView
from orquestrax.core.store.webverbs import ListRow

MS = 1000
KEY = UUID("01890000-0000-7000-8000-000000000001")


def instance(**given: Any) -> InstanceView:
    """An instance; whatever is not given is ordinary."""
    ordinary: dict[str, Any] = {
        "key": KEY, "id": "order-1", "definition": "fulfil", "version": "", "status": "running", "owner": 1,
        "priority": 2, "wake_at": None, "mail": 0, "created_at": 0, "started_at": 100 * MS, "ended_at": None,
        "created_by": "dashboard", "digest": b"", "input": "[]", "result": None, "error": None, "waits": None,
        "blocked": None, "state": None, "node": "host-1", "started_on": "host-1", "deadline": None,
    }  # fmt: skip
    return InstanceView(**{**ordinary, **given})


def row(**given: Any) -> ListRow:
    """A row of the list."""
    ordinary: dict[str, Any] = {
        "key": KEY, "id": "order-1", "definition": "fulfil", "status": "running", "wake_at": None, "created_at": 0,
        "started_at": 100 * MS, "ended_at": None, "waits": None, "result": None, "error_type": None,
        "error_message": None, "blocked": None, "node": "host-1",
    }  # fmt: skip
    return ListRow(**{**ordinary, **given})


def definition(source: str, *, line: int = 10, file: str = "shop.py") -> DefinitionView:
    """A definition with this source."""
    return DefinitionView(
        name="fulfil", version="", digest="", input_schema="{}", output_schema="{}", doc="", file=file, line=line,
        source=source, registered_at=0, served=True, timeout=None,
    )  # fmt: skip


class Events:
    """A history in the making: `issued` is how many commands had been asked for before the event was applied."""

    def __init__(self) -> None:
        self.rows: list[EventView] = []
        self._seq = itertools.count(1)

    def add(self, type_: str, at: int, issued: int, **data: Any) -> Events:
        """One more event, `at` in milliseconds."""
        encoded = msgspec.json.encode(data).decode()
        self.rows.append(
            EventView(seq=next(self._seq), type=type_, at=at * MS, issued=issued, trail=0, data=encoded)
        )
        return self

    def started(
        self, command: int, step: str, at: int, begun: int, *, attempt: int = 1, issued: int, line: int = 0
    ) -> Events:
        """A step has been running for a while."""
        return self.add(
            "step_started",
            at,
            issued,
            command=command,
            step=step,
            attempt=attempt,
            node="host-1",
            started_at=begun * MS,
            **({"file": "shop.py", "line": line} if line else {}),
        )

    def ended(
        self,
        command: int,
        step: str,
        begun: int,
        at: int,
        *,
        attempt: int = 1,
        issued: int,
        error: Any = None,
    ) -> Events:
        """A step completed, or failed for good."""
        outcome = {"result": None} if error is None else {"error": error}
        return self.add(
            "step_completed" if error is None else "step_failed", at, issued, command=command, step=step,
            attempt=attempt, node="host-1", started_at=begun * MS, ended_at=at * MS, **outcome,
        )  # fmt: skip

    def retrying(
        self, command: int, step: str, begun: int, at: int, due: int, *, attempt: int, issued: int
    ) -> Events:
        """An attempt failed, another one is due."""
        return self.add(
            "step_retrying", at, issued, command=command, step=step, attempt=attempt, node="host-1",
            started_at=begun * MS, ended_at=at * MS, first_at=begun * MS, due=due * MS,
            error={"type": "Busy", "message": "later\nmuch later"},
        )  # fmt: skip
