"""The nodes of the cluster."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from orquestrax.web.context import context_of
from orquestrax.web.places import prefix_of
from orquestrax.web.render import Links, page

router = APIRouter(include_in_schema=False)


@router.get("/nodes")
async def nodes(request: Request) -> HTMLResponse:
    """Live nodes and the latest that ended."""
    context = context_of(request)
    return page(
        request,
        "nodes/page.html",
        section="Nodes",
        nodes=await context.store.nodes(),
        now=(now := await context.reads.now()),
        clock=now,
        live=Links(prefix_of(request)).to("/live", view="nodes"),
    )
