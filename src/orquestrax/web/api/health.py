"""For whoever keeps the process alive: is it there, and can it work."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from orquestrax.base.errors import DatabaseError
from orquestrax.web.context import context_of

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.get("/ready", responses={503: {"description": "The database does not answer"}})
async def ready(request: Request, response: Response) -> dict[str, str]:
    """The database answers within a second, with a schema that fits."""
    try:
        async with asyncio.timeout(1.0):
            await context_of(request).store.definitions("")
    except (DatabaseError, TimeoutError) as error:
        response.status_code = 503
        return {"status": "not ready", "reason": str(error) or "the database does not answer within a second"}
    return {"status": "ready"}
