"""Bodies that say that they run and end when their test lets them. The fixture `gate` makes both anew for a test."""

from __future__ import annotations

import asyncio

from tests.engine.until import until_so

ran: list[str] = []
gates: list[asyncio.Event] = []


async def passes(name: str) -> str:
    """What a body does: note that it runs, and wait."""
    ran.append(name)
    await gates[0].wait()
    return name


async def until_ran(*names: str) -> None:
    """Until these bodies have begun, in this order, and no others."""
    await until_so(lambda: ran == list(names))
