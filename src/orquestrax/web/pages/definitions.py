"""What nodes have registered: names, schemas, sources."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from orquestrax.base.errors import NotFound
from orquestrax.web.context import context_of
from orquestrax.web.render import page
from orquestrax.web.views import source
from orquestrax.web.views.payload import Payload, pretty

router = APIRouter(include_in_schema=False)


@router.get("/definitions")
async def definitions(request: Request) -> HTMLResponse:
    """All definitions, the newest version of each first."""
    context = context_of(request)
    found = await context.store.definitions()
    now = await context.reads.now()
    return page(request, "definitions/list.html", section="Definitions", definitions=found, now=now)


@router.get("/definitions/{name:path}")
async def definition(request: Request, name: str) -> HTMLResponse:
    """One definition in all its versions. Raises NotFound."""
    context = context_of(request)
    found = await context.store.definitions(name.replace("\0", ""))
    if not found:
        raise NotFound(f"no node has registered a definition of the name {name!r}")
    shown = [
        (one, source.marked(one, []), _schema(one.input_schema), _schema(one.output_schema)) for one in found
    ]
    now = await context.reads.now()
    return page(request, "definitions/one.html", section="Definitions", name=name, shown=shown, now=now)


def _schema(schema: str) -> Payload | None:
    return pretty(schema, full=True)
