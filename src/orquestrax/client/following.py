"""Following what an instance logs, until it has ended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from uuid import UUID

from orquestrax.client.client import Client
from orquestrax.client.logs import LogEntry, entries
from orquestrax.client.watch import watch
from orquestrax.core.store.logs import LogStore
from orquestrax.model.states import TERMINAL

PAGE: Final = 1_000
LATE: Final = 1_000  # records of another node may come a little late: so many are looked at again
ENDED_FOR: Final = 2  # looks after the end, with a pause between: the last records come a moment later
PAUSE: Final = 1.0


async def follow(
    client: Client, key: UUID, *, level: str = "DEBUG", step: str | None = None
) -> AsyncGenerator[LogEntry, None]:
    """Every record, those to come too, until the instance has ended. Raises InvalidInput, NotFound."""
    store = LogStore(client.store.database)
    seen: deque[int] = deque(maxlen=LATE)
    ended_for = 0
    while ended_for < ENDED_FOR:
        async with aclosing(watch(client, key)) as views:
            async for view in views:
                floor = seen[0] if len(seen) == LATE else 0
                for entry in await _all_behind(store, key, floor, level, step):
                    if entry.number not in seen:
                        seen.append(entry.number)
                        yield entry
                ended_for += view.status in TERMINAL
        if ended_for < ENDED_FOR:
            await asyncio.sleep(PAUSE)


async def _all_behind(store: LogStore, key: UUID, floor: int, level: str, step: str | None) -> list[LogEntry]:
    found: list[LogEntry] = []
    while True:
        page = await entries(store, key, after=floor, level=level, step=step, limit=PAGE)
        found += page
        if len(page) < PAGE:
            return found
        floor = page[-1].number
