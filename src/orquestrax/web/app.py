"""Puts the web room together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from orquestrax.base.release import RELEASE
from orquestrax.client.client import Client
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.webverbs import WebStore
from orquestrax.define.workflow import Workflow
from orquestrax.settings import Settings
from orquestrax.web import errors, security
from orquestrax.web.api import router as api
from orquestrax.web.context import WebContext
from orquestrax.web.pages import router as pages
from orquestrax.web.pages import streams


def create_app(
    *,
    client: Client,
    hints: Hints,
    store: ClientStore,
    settings: Settings,
    workflows: Mapping[str, Workflow[Any, Any]],
) -> FastAPI:
    """The ASGI app: REST API and dashboard. It may be mounted under a prefix in another app."""
    app = FastAPI(
        title="OrquestraX",
        version=RELEASE,
        docs_url=None,  # FastAPI's own page loads scripts from another host
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.context = context = WebContext(
        client=client,
        dashboard=Client(store, hints, created_by="dashboard"),
        hints=hints,
        store=store,
        reads=WebStore(store.database),
        settings=settings,
        workflows=workflows,
    )
    security.install(app, settings)
    errors.install(app)
    streams.install(app, context)
    app.include_router(api)
    app.include_router(pages)
    return app
