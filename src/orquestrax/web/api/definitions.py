"""What can be started."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request

from orquestrax.base.errors import NotFound
from orquestrax.core.store.clientverbs import DefinitionView
from orquestrax.web.api.models import Definition
from orquestrax.web.api.problems import documented
from orquestrax.web.context import context_of

router = APIRouter(tags=["definitions"])


@router.get("/definitions", responses=documented())
async def list_definitions(request: Request) -> list[Definition]:
    """Every registered definition, newest version first."""
    return [_shown(view) for view in await context_of(request).store.definitions()]


@router.get("/definitions/{name:path}", responses=documented(404))
async def show_definition(request: Request, name: str) -> Definition:
    """The newest version of one definition."""
    views = await context_of(request).store.definitions(name)
    if not views:
        raise NotFound(f"no definition is named {name!r}: `orquestrax definitions` shows what is registered")
    return _shown(views[0])


def _shown(view: DefinitionView) -> Definition:
    return Definition(
        name=view.name,
        version=view.version,
        doc=view.doc,
        file=view.file,
        line=view.line,
        served=view.served,
        input_schema=msgspec.json.decode(view.input_schema),
        output_schema=msgspec.json.decode(view.output_schema),
    )
