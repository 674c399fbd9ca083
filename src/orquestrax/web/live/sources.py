"""The live lists: for each, who is concerned by a change, what is read, what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.core.store.webverbs import ListRow, WebStore
from orquestrax.web.live.topics import Fragments
from orquestrax.web.render import fragment
from orquestrax.web.views.listing import Filters, Row, keys_in_motion, rows_of

Looks = dict[Any, tuple[int, Fragments]]
KEPT: Final = 1_000  # rendered rows that are kept: most of a list is what it was


@dataclass(frozen=True, slots=True)
class ListView:
    """The rows of a list; `base` is the prefix for links."""

    filters: Filters
    base: str


class ListSource:
    """Any change may bring a row into a list, so every list is looked at, and the steps of all at once."""

    every: float = 0.2

    def __init__(self, store: WebStore) -> None:
        self._store = store

    def concerns(self, _view: ListView, _keys: frozenset[UUID]) -> bool:
        """See the class."""
        return True

    async def look(self, views: Sequence[ListView]) -> Looks:
        """The rows of each list, newest first."""
        found = {view: await self._rows(view.filters) for view in views}
        moving = {key for rows in found.values() for key in keys_in_motion(rows)}
        activity = await self._store.activity(sorted(moving))
        now = await self._store.now()
        return {
            view: (now, {f"rows/{row.id}": _row(view.base, row) for row in rows_of(rows, activity, now)})
            for view, rows in found.items()
        }

    async def _rows(self, filters: Filters) -> list[ListRow]:
        return await self._store.rows(
            statuses=[filters.status] if filters.status else [],
            definition=filters.definition,
            search=filters.search,
            before=filters.before,
        )


@lru_cache(maxsize=KEPT)
def _row(base: str, row: Row) -> str:
    return fragment("list/row.html", base, row=row, clock=None)


@dataclass(frozen=True, slots=True)
class CountsView:
    """The counts by status above a list, as links that keep its other filters."""

    filters: Filters
    base: str


class CountsSource:
    """Counts: one query for all, once a second at most."""

    every: float = 1.0

    def __init__(self, store: ClientStore, reads: WebStore) -> None:
        self._store, self._reads = store, reads

    def concerns(self, _view: CountsView, _keys: frozenset[UUID]) -> bool:
        """Any change may move a count."""
        return True

    async def look(self, views: Sequence[CountsView]) -> Looks:
        """The counts by status."""
        counts, now = await self._store.counts(), await self._reads.now()
        return {
            view: (
                now,
                {"counts": fragment("list/counts.html", view.base, counts=counts, filters=view.filters)},
            )
            for view in views
        }
