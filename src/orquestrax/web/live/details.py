"""The live page of an instance: its row, and its history as it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from orquestrax.core.store.clientverbs import ClientStore, DefinitionView, EventView, InstanceView
from orquestrax.core.store.logs import LogStore
from orquestrax.core.store.progress import ProgressStore
from orquestrax.core.store.webverbs import MOST, WebStore
from orquestrax.web.live.topics import Fragments
from orquestrax.web.render import fragment
from orquestrax.web.views.chronicle import Entry
from orquestrax.web.views.detail import Detail, detail

Looks = dict[Any, tuple[int, Fragments]]
HEAD: Final = ("state", "signal-names")  # of every tab
SUMMARY: Final = (*HEAD, "failure", "finding", "waits", "timeline", "outcome", "source", "earlier")
KEPT: Final = 1_000  # rendered events that are kept: what has happened does not change


@dataclass(frozen=True, slots=True)
class DetailView:
    """One instance; `full` names what is shown uncut, `head_only` is for tabs that show something else."""

    key: UUID
    base: str
    full: frozenset[str] = frozenset()
    head_only: bool = False


@dataclass(slots=True)
class Known:
    """What has been read of an instance: its definition, and its events up to the last one."""

    definition: DefinitionView | None = None
    history: list[EventView] = field(default_factory=list)

    @property
    def seq(self) -> int:
        return self.history[-1].seq if self.history else 0

    def add(self, events: Sequence[EventView]) -> None:
        """Newer events; a gap means that there were too many to read, so the older ones are forgotten."""
        if events and self.history and events[0].seq != self.seq + 1:
            self.history.clear()
        self.history.extend(events)
        del self.history[:-MOST]


class DetailSource:
    """The pages of instances: one query for the rows, one for what was added to their histories."""

    every: float = 0.1

    def __init__(self, store: ClientStore, reads: WebStore) -> None:
        self._store, self._reads = store, reads
        self._known: dict[UUID, Known] = {}

    def concerns(self, view: DetailView, keys: frozenset[UUID]) -> bool:
        """A page shows one instance."""
        return view.key in keys

    async def look(self, views: Sequence[DetailView]) -> Looks:
        """The fragments of each page; an instance that is gone keeps what it shows."""
        keys = {view.key for view in views}
        self._known = {key: known for key, known in self._known.items() if key in keys}
        found = await read_details(self._store, self._reads, views, self._known)
        return {view: (shown.now, fragments_of(shown, view)) for view, shown in found.items()}


async def read_details(
    store: ClientStore, reads: WebStore, views: Sequence[DetailView], known: dict[UUID, Known]
) -> dict[DetailView, Detail]:
    """What the pages of these instances show now; `known`, what was read before, is brought up to date."""
    keys = sorted({view.key for view in views})
    rows = {row.key: row for row in await store.by_key(keys)}
    added = await reads.events({key: known.setdefault(key, Known()).seq for key in keys})
    for key, events in added.items():
        known[key].add(events)
    for row in rows.values():
        if known[row.key].definition is None or row.status == "pending":  # then a node may come up
            known[row.key].definition = await _definition(store, row)
    working = [row.key for row in rows.values() if row.started_at is not None and row.ended_at is None]
    said = await ProgressStore(store.database).of(working)
    ended = [row.key for row in rows.values() if row.ended_at is not None]
    findings = await LogStore(store.database).findings(ended)
    now, shown = await reads.now(), {}
    for view in views:
        if view.key in rows:
            of = known[view.key]
            shown[view] = detail(
                rows[view.key],
                of.history,
                of.definition,
                now=now,
                full=view.full,
                said=said.get(view.key, ()),
                finding=findings.get(view.key, ""),
            )
    return shown


async def _definition(store: ClientStore, row: InstanceView) -> DefinitionView | None:
    found = await store.definitions(row.definition)
    return next((one for one in found if one.version == row.version), found[0] if found else None)


def fragments_of(shown: Detail, view: DetailView) -> Fragments:
    """The live parts of an instance's page. Clocks are left to the browser: no change, no fragment."""
    parts = {
        part: fragment(f"detail/{part}.html", view.base, d=shown, view=view, clock=None)
        for part in (HEAD if view.head_only else SUMMARY)
    }
    if view.head_only:
        return parts
    return {**parts, **{f"events/{entry.id}": _event(view, shown.view.id, entry) for entry in shown.entries}}


@lru_cache(maxsize=KEPT)
def _event(view: DetailView, id_: str, entry: Entry) -> str:
    return fragment("detail/event.html", view.base, id=id_, entry=entry, view=view)
