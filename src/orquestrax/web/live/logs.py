"""The live Logs tab: the newest records of an instance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from orquestrax.core.store.logs import LogStore, LogView
from orquestrax.core.store.webverbs import WebStore
from orquestrax.web.live.topics import Fragments
from orquestrax.web.render import fragment
from orquestrax.web.views.logs import SHOWN, LogFilters, LogRow, rows_of, steps_to_choose

Looks = dict[Any, tuple[int, Fragments]]
KEPT: Final = 2_000  # rendered records that are kept: they do not change


@dataclass(frozen=True, slots=True)
class LogsView:
    """The records of one instance that fit these filters; `base` is the prefix for links, `id` its own."""

    key: UUID
    id: str
    base: str
    filters: LogFilters


@dataclass(frozen=True, slots=True)
class Shown:
    """What a tab shows: `more` if there are older records, which it does not show."""

    rows: Sequence[LogRow]
    steps: Sequence[tuple[str, str]]
    more: bool


class LogsSource:
    """The newest records of each tab; they come in batches, so a few looks a second are enough."""

    every: float = 0.2

    def __init__(self, store: LogStore, reads: WebStore) -> None:
        self._store, self._reads = store, reads

    def concerns(self, view: LogsView, keys: frozenset[UUID]) -> bool:
        """A tab shows one instance."""
        return view.key in keys

    async def look(self, views: Sequence[LogsView]) -> Looks:
        """The rows of each tab, oldest first."""
        now = await self._reads.now()
        return {view: (now, _fragments(view, await read_logs(self._store, view))) for view in views}


async def read_logs(store: LogStore, view: LogsView) -> Shown:
    """What a tab shows now."""
    filters = view.filters
    records: list[LogView] = await store.tail(
        view.key, level=filters.least, step=filters.stored_step, limit=SHOWN + 1
    )
    steps = steps_to_choose(await store.steps(view.key), filters.step)
    return Shown(rows_of(records[-SHOWN:]), steps, len(records) > SHOWN)


def _fragments(view: LogsView, shown: Shown) -> Fragments:
    parts = {
        part: fragment(f"detail/{part}.html", view.base, logs=shown, logs_view=view)
        for part in ("log-step", "log-older")
    }
    return {**parts, **{f"logs/{row.id}": _row(row) for row in shown.rows}}


@lru_cache(maxsize=KEPT)
def _row(row: LogRow) -> str:
    return fragment("detail/log.html", "", row=row)
