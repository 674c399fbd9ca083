"""What the dashboard reads beside what clients do: for many instances at once, one statement each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from orquestrax.core.store.clientverbs import EventView
from orquestrax.core.store.database import Database

LAST: Final = 24  # events looked at to say which steps an instance is at
MOST: Final = 2_000  # events of one instance that are read at once


class WebStore:
    """Reads over a pool; no fence, no locks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> int:
        """The database's time, in microseconds."""
        rows = await self._database.fetch("web_now")
        now: int = rows[0]["now"]
        return now

    async def activity(self, keys: Sequence[UUID]) -> dict[UUID, list[EventView]]:
        """The last step events of each instance, oldest first."""
        rows = await self._database.fetch("web_activity", list(keys), LAST) if keys else []
        found: dict[UUID, list[EventView]] = {}
        for row in rows:
            fields = dict(row)
            found.setdefault(fields.pop("instance"), []).append(EventView(**fields))
        return {key: sorted(events, key=lambda event: event.seq) for key, events in found.items()}

    async def events(self, after: Mapping[UUID, int], *, limit: int = MOST) -> dict[UUID, list[EventView]]:
        """What follows the given sequence number, for each instance, in order."""
        if not after:
            return {}
        rows = await self._database.fetch("web_events", list(after), list(after.values()), limit)
        found: dict[UUID, list[EventView]] = {}
        for row in rows:
            fields = dict(row)
            found.setdefault(fields.pop("instance"), []).append(EventView(**fields))
        return found
