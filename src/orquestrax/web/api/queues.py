"""The cluster's queues."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from orquestrax.client.queues import QueueStatus
from orquestrax.core.store.taskverbs import queues_of
from orquestrax.web.api.answers import answer
from orquestrax.web.api.problems import documented
from orquestrax.web.context import context_of

router = APIRouter(tags=["cluster"])


@router.get("/queues", response_model=list[QueueStatus], responses=documented())
async def list_queues(request: Request) -> Response:
    """Queues in which steps wait or run, and those that nodes serve by name, with who serves each."""
    return answer([QueueStatus.of(view) for view in await queues_of(context_of(request).store.database)])
