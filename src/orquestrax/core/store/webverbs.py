"""What the dashboard reads beside what clients do: for many instances at once, one statement each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from orquestrax.core.store.clientverbs import EventView
from orquestrax.core.store.database import Database
from orquestrax.core.store.searching import keys_of

LAST: Final = 24  # events looked at to say which steps an instance is at
MOST: Final = 2_000  # events of one instance that are read at once
PAGE: Final = 50


class ListRow(msgspec.Struct, frozen=True, kw_only=True):
    """An instance as a list shows it. Times in µs; `result` and messages are cut, `waits` is JSON."""

    key: UUID
    id: str
    definition: str
    status: str
    wake_at: int | None
    created_at: int
    started_at: int | None
    ended_at: int | None
    waits: str | None
    result: str | None
    error_type: str | None
    error_message: str | None
    blocked: str | None
    node: str | None


class WebStore:
    """Reads over a pool; no fence, no locks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> int:
        """The database's time, in microseconds."""
        rows = await self._database.fetch("web_now")
        now: int = rows[0]["now"]
        return now

    async def rows(
        self,
        *,
        statuses: Sequence[str] = (),
        definition: str = "",
        search: str = "",
        before: UUID | None = None,
        limit: int = PAGE,
    ) -> list[ListRow]:
        """Newest first; `before` is the last key of the page before. What is empty filters nothing.

        `search` is as in `searching.keys_of`.
        """
        keys = await keys_of(
            self._database, search, statuses=statuses, definition=definition, before=before, limit=limit
        )
        rows = await self._database.fetch(
            "web_list", list(statuses) or None, definition or None, keys, before, limit
        )
        return [ListRow(**dict(row)) for row in rows]

    async def activity(self, keys: Sequence[UUID]) -> dict[UUID, list[EventView]]:
        """The last step events of each instance, in order."""
        return _by_instance(await self._database.fetch("web_activity", list(keys), LAST)) if keys else {}

    async def steps_by_node(self, key: UUID) -> tuple[int, dict[str, int]]:
        """How many commands an instance has asked for, and how many of its steps each node has completed."""
        rows = await self._database.fetch("web_steps_by_node", key)
        asked: int = max((row["asked"] for row in rows), default=0)
        return asked, {row["node"]: row["steps"] for row in rows if row["node"] and row["steps"]}

    async def events(self, after: Mapping[UUID, int], *, limit: int = MOST) -> dict[UUID, list[EventView]]:
        """What follows the given sequence number in each history, in order; the newest if it is too much."""
        if not after:
            return {}
        return _by_instance(
            await self._database.fetch("web_events", list(after), list(after.values()), limit)
        )


def _by_instance(rows: Sequence[Any]) -> dict[UUID, list[EventView]]:
    found: dict[UUID, list[EventView]] = {}
    for row in rows:
        fields = dict(row)
        found.setdefault(fields.pop("instance"), []).append(EventView(**fields))
    return found
