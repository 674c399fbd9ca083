"""The stream of an open page: which views it watches follows from its address."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final
from uuid import UUID

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

from orquestrax.core.store.logs import LogStore
from orquestrax.web.context import WebContext
from orquestrax.web.live.cluster import ClusterSource, ClusterView
from orquestrax.web.live.details import DetailSource, DetailView
from orquestrax.web.live.encodings import Gzip, Plain
from orquestrax.web.live.hub import Hub
from orquestrax.web.live.logs import LogsSource, LogsView
from orquestrax.web.live.sources import (
    CountsSource,
    CountsView,
    ListSource,
    ListView,
)
from orquestrax.web.live.topics import Source
from orquestrax.web.places import prefix_of, takes_gzip
from orquestrax.web.views.listing import Filters
from orquestrax.web.views.logs import LogFilters

router = APIRouter(include_in_schema=False)
HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no", "vary": "accept-encoding"}
Subscriptions = Sequence[tuple[Source, Hashable]]


class Streams:
    """The hub of an app and its sources."""

    def __init__(self, context: WebContext) -> None:
        self.hub = Hub(context.hints)
        self.lists = ListSource(context.reads)
        self.counts = CountsSource(context.store, context.reads)
        self.details = DetailSource(context.store, context.reads)
        self.logs = LogsSource(LogStore(context.store.database), context.reads)
        self.cluster = ClusterSource(context)

    def subscriptions(self, request: Request) -> Subscriptions:
        """What the page of this address watches."""
        query, base = request.query_params, prefix_of(request)
        match query.get("view"):
            case "list":
                filters = Filters.of(query)
                return [(self.lists, ListView(filters, base)), (self.counts, CountsView(filters, base))]
            case "detail":
                full = frozenset(query.getlist("full"))
                return [(self.details, DetailView(_key(query.get("key", "")), base, full))]
            case "logs":
                key = _key(query.get("key", ""))
                logs = LogsView(key, query.get("id", ""), base, LogFilters.of(query))
                return [(self.details, DetailView(key, base, head_only=True)), (self.logs, logs)]
            case "nodes":
                run = query.get("run")
                return [(self.cluster, ClusterView(base, _key(run) if run else None))]
            case _:
                raise HTTPException(404, "there is no such view")


def install(app: FastAPI, context: WebContext) -> None:
    """Give the app its streams."""
    app.state.streams = streams = Streams(context)
    app.state.hub = streams.hub


@router.get("/live")
async def live(request: Request) -> StreamingResponse:
    """Server-sent events: a snapshot first, then what changes."""
    streams: Streams = request.app.state.streams
    encoding = Gzip() if takes_gzip(request) else Plain()
    events = streams.hub.stream(streams.subscriptions(request), encoding)
    headers = {**HEADERS, **encoding.headers}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def _key(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise HTTPException(404, "there is no such instance") from None
