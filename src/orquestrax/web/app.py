"""Puts the web room together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from orquestrax.base.release import RELEASE
from orquestrax.client.client import Client
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.webverbs import WebStore
from orquestrax.define.workflow import Workflow
from orquestrax.settings import Settings
from orquestrax.web import errors, security
from orquestrax.web.api import document, health
from orquestrax.web.api import router as api
from orquestrax.web.auth import Access, login
from orquestrax.web.context import Neighbours, WebContext
from orquestrax.web.pages import router as pages
from orquestrax.web.pages import static, streams


def create_app(
    *,
    client: Client,
    hints: Hints,
    store: ClientStore,
    settings: Settings,
    workflows: Mapping[str, Workflow[Any, Any]],
    neighbours: Neighbours | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """The ASGI app: REST API and dashboard. It may be mounted under a prefix in another app.

    Without a token in the settings it answers only under names of this machine and the settings' host.

    neighbours  nodes that may be killed by a button, which only `dev` has
    clock       seconds that only rise, for sessions
    """
    app = FastAPI(
        title="OrquestraX",
        version=RELEASE,
        docs_url=None,  # FastAPI's own page loads scripts from another host
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.context = context = WebContext(
        client=client,
        dashboard=Client(store, hints, created_by="dashboard"),
        hints=hints,
        store=store,
        reads=WebStore(store.database),
        settings=settings,
        workflows=workflows,
        neighbours=neighbours,
    )
    errors.install(app)
    streams.install(app, context)
    for router in (api, login.router, pages):
        app.include_router(router)
    document.install(app, secured=settings.token is not None)
    security.install(app, settings, Access(settings.token, clock), exempt=_exempt())
    return app


def _exempt() -> list[BaseRoute]:
    """The routes that need no login: these and no others."""
    endpoints = (health.live, health.ready, login.show, login.send, static.static)
    routes = [*health.router.routes, *login.router.routes, *static.router.routes]
    return [route for route in routes if isinstance(route, APIRoute) and route.endpoint in endpoints]
