"""The live parts of pages: for each, who is concerned by a change, what is read, what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from orquestrax.core.store.clientverbs import ClientStore, DefinitionView, EventView, InstanceView
from orquestrax.core.store.webverbs import MOST, WebStore
from orquestrax.web.live.topics import Fragments
from orquestrax.web.render import fragment
from orquestrax.web.views.detail import Detail, detail
from orquestrax.web.views.listing import Filters, keys_in_motion, rows_of

Looks = dict[Any, tuple[int, Fragments]]
DETAIL_PARTS: Final = (
    "state",
    "failure",
    "waits",
    "timeline",
    "outcome",
    "source",
    "earlier",
    "signal-names",
)


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
            view: (
                now,
                {
                    f"rows/{row.id}": fragment("list/row.html", view.base, row=row, now=now)
                    for row in rows_of(rows, activity)
                },
            )
            for view, rows in found.items()
        }

    async def _rows(self, filters: Filters) -> list[Any]:
        return await self._store.rows(
            statuses=[filters.status] if filters.status else [],
            definition=filters.definition,
            search=filters.search,
            before=filters.before,
        )


@dataclass(frozen=True, slots=True)
class CountsView:
    """The counts by status above a list, as links that keep its other filters."""

    filters: Filters
    base: str


class CountsSource:
    """Counts and nodes: one query for all, once a second at most."""

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


@dataclass(frozen=True, slots=True)
class DetailView:
    """One instance; `full` names what is shown uncut."""

    key: UUID
    base: str
    full: frozenset[str] = frozenset()


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
    now, shown = await reads.now(), {}
    for view in views:
        if view.key in rows:
            of = known[view.key]
            shown[view] = detail(rows[view.key], of.history, of.definition, now=now, full=view.full)
    return shown


async def _definition(store: ClientStore, row: InstanceView) -> DefinitionView | None:
    found = await store.definitions(row.definition)
    return next((one for one in found if one.version == row.version), found[0] if found else None)


def fragments_of(shown: Detail, view: DetailView) -> Fragments:
    """The live parts of an instance's page."""
    parts = {part: fragment(f"detail/{part}.html", view.base, d=shown, view=view) for part in DETAIL_PARTS}
    rows = {
        f"events/{entry.id}": fragment("detail/event.html", view.base, d=shown, entry=entry, view=view)
        for entry in shown.entries
    }
    return {**parts, **rows}


@dataclass(frozen=True, slots=True)
class NodesView:
    """The table of nodes."""

    base: str


class NodesSource:
    """Heartbeats are no hints: the nodes are looked at once a second."""

    every: float = 1.0

    def __init__(self, store: ClientStore, reads: WebStore) -> None:
        self._store, self._reads = store, reads

    def concerns(self, _view: NodesView, _keys: frozenset[UUID]) -> bool:
        """Instances change without a change of nodes."""
        return False

    async def look(self, views: Sequence[NodesView]) -> Looks:
        """The rows of the table."""
        nodes, now = await self._store.nodes(), await self._reads.now()
        return {
            view: (
                now,
                {
                    f"nodes/node-{node.fence}": fragment("nodes/row.html", view.base, node=node, now=now)
                    for node in nodes
                },
            )
            for view in views
        }
