"""An instance's history, read from the database as something that replays anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from orquestrax.core.store.clientverbs import ClientStore, EventView, InstanceView
from orquestrax.define.rehearsal import History, RecordedEvent


async def read_history(store: ClientStore, key: UUID, *, at_most: int = 1_000_000) -> History | None:
    """The history of an instance; None if it never ran, or has more events than that."""
    (view,) = await store.by_key([key]) or (None,)
    if view is None or view.started_at is None:
        return None
    events = await store.events(key, limit=at_most + 1)
    return None if len(events) > at_most else _history(view, view.started_at, events)


def _history(view: InstanceView, started_at: int, events: Sequence[EventView]) -> History:
    return History(
        id=view.id,
        key=view.key,
        definition=view.definition,
        version=view.version,
        started_at=started_at,
        input=msgspec.Raw(view.input.encode()),
        result=None if view.result is None else msgspec.Raw(view.result.encode()),
        events=[
            RecordedEvent(e.seq, e.type, e.at, e.issued, e.trail, msgspec.Raw(e.data.encode()))
            for e in events
        ],
    )
