"""For whoever keeps the process alive: is it there, and can it work."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from orquestrax.base.errors import DatabaseError
from orquestrax.web.api.models import Health
from orquestrax.web.api.problems import DOOR, documented
from orquestrax.web.context import context_of

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", response_model_exclude_defaults=True, responses=documented(always=DOOR))
async def live() -> Health:
    """The process answers."""
    return Health(status="live")


@router.get(
    "/ready",
    response_model_exclude_defaults=True,
    responses=documented(always=DOOR) | {503: {"model": Health}},
)
async def ready(request: Request, response: Response) -> Health:
    """The database answers within a second, with a schema that fits."""
    try:
        async with asyncio.timeout(1.0):
            await context_of(request).store.definitions("")
    except (DatabaseError, TimeoutError) as error:
        response.status_code = 503
        reason = str(error) or "the database does not answer within a second"
        return Health(status="not ready", reason=reason)
    return Health(status="ready")
