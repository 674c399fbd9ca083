"""The first page: the list of instances with counts and filters. Its state is its address."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from orquestrax.core.store.webverbs import PAGE
from orquestrax.web.context import context_of
from orquestrax.web.places import prefix_of
from orquestrax.web.render import Links, page
from orquestrax.web.views.listing import Filters, keys_in_motion, rows_of

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request) -> HTMLResponse:
    """The list, newest first, complete at first load."""
    context, filters = context_of(request), Filters.of(request.query_params)
    found = await context.reads.rows(
        statuses=[filters.status] if filters.status else [],
        definition=filters.definition,
        search=filters.search,
        before=filters.before,
        limit=PAGE + 1,
    )
    shown = found[:PAGE]
    activity = await context.reads.activity(keys_in_motion(shown))
    counts, now = await context.store.counts(), await context.reads.now()
    before = str(filters.before) if filters.before else ""
    return page(
        request,
        "list/page.html",
        section="Workflows",
        now=now,
        clock=now,
        live=Links(prefix_of(request)).to("/live", view="list", before=before, **filters.query()),
        filters=filters,
        counts=counts,
        names=sorted({definition.name for definition in await context.store.definitions()}),
        rows=rows_of(shown, activity, now),
        older=str(shown[-1].key) if len(found) > PAGE else "",
        empty=not any(counts.values()) and not filters.narrow,
    )
