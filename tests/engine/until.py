"""Wait until something is so; a test that waits in vain fails by its own time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from orquestrax.client.handle import Run


async def until_status(run: Run[object], *wanted: str) -> None:
    """Until the instance has one of these statuses."""
    async with asyncio.timeout(20):
        while (await run.status()).status not in wanted:
            await asyncio.sleep(0.01)


async def until_event(run: Run[object], type_: str, times: int = 1) -> None:
    """Until its history has events of this type."""
    async with asyncio.timeout(20):
        while sum(event.type == type_ for event in await run.history()) < times:
            await asyncio.sleep(0.01)


async def until_so(so: Callable[[], bool]) -> None:
    """Until it is so."""
    async with asyncio.timeout(20):
        while not so():
            await asyncio.sleep(0.01)
