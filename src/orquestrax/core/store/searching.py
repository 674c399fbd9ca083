"""Search by id: which instances of a list have an id that fits."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from orquestrax.core.store.database import Database


async def keys_of(
    database: Database,
    search: str,
    *,
    statuses: Sequence[str] | None,
    definition: str | None,
    before: UUID | None,
    limit: int,
) -> list[UUID] | None:
    """The keys of a page of a list whose ids begin with `search`, newest first; None if nothing is searched for.

    Among the newest 10,000 instances any part of the id will do, in upper or lower case.
    """
    if not search:
        return None
    rows = await database.fetch(
        "search_keys", search, list(statuses) if statuses else None, definition or None, before, limit
    )
    return [row["key"] for row in rows]
