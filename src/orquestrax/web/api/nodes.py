"""The cluster."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from orquestrax.client.nodes import NodeStatus
from orquestrax.web.api.answers import answer
from orquestrax.web.api.problems import documented
from orquestrax.web.context import context_of

router = APIRouter(tags=["cluster"])


@router.get("/nodes", response_model=list[NodeStatus], responses=documented())
async def list_nodes(request: Request) -> Response:
    """Nodes that work and the latest that have ended, newest first."""
    return answer([NodeStatus.of(view) for view in await context_of(request).store.nodes()])
