"""Watching an instance: its row again and again, whenever it may have changed, until it has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final
from uuid import UUID

from orquestrax.base.errors import DatabaseUnreachable, NotFound
from orquestrax.client.client import Client
from orquestrax.core.store.clientverbs import InstanceView
from orquestrax.model.states import TERMINAL

log = logging.getLogger(__name__)
POLL: Final = 1.0  # seconds: what a lost hint left is found by then


async def watch(client: Client, key: UUID, *, poll: float = POLL) -> AsyncGenerator[InstanceView, None]:
    """Yield the instance's row now, and at hints and each `poll` seconds; the last one yielded has ended.

    An outage of the database is waited out. Raises NotFound if the instance is not there.
    """
    changed = asyncio.Event()

    def hinted(payload: str) -> None:
        if payload == "*" or str(key) in payload:
            changed.set()

    stop_listening = client.hints.listen("view", hinted)
    try:
        while True:
            changed.clear()
            view = await _look(client, key)
            if view is not None:
                yield view
                if view.status in TERMINAL:
                    return
            with suppress(TimeoutError):
                async with asyncio.timeout(poll):
                    await changed.wait()
    finally:
        stop_listening()


async def _look(client: Client, key: UUID) -> InstanceView | None:
    """The row; None while the database does not answer."""
    try:
        rows = await client.store.by_key([key])
    except DatabaseUnreachable as error:
        log.warning("waiting for the database: %s", error)
        return None
    if not rows:
        raise NotFound(f"the instance {key} is gone: the database was reset")
    return rows[0]


def is_stuck(view: InstanceView) -> bool:
    """Whether it is blocked and no node is about to try it again: only other code makes it go on."""
    return view.status == "blocked" and view.owner is None and view.wake_at is None
