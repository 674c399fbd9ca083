"""A node with its dashboard: what `orquestrax start` and `orquestrax dev` run."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from orquestrax.define.workflow import Workflow
from orquestrax.node.collector import relax
from orquestrax.node.node import Node
from orquestrax.node.options import engine_options
from orquestrax.settings import Settings
from orquestrax.web.app import create_app
from orquestrax.web.context import Neighbours
from orquestrax.web.server import WebServer


@asynccontextmanager
async def serving(
    settings: Settings,
    workflows: Mapping[str, Workflow[..., Any]],
    *,
    steps: Mapping[str, Any] | None = None,
    roles: Sequence[str],
    grace: float,
    migrates: bool | None = None,
    listening: socket.socket | None = None,
    neighbours: Neighbours | None = None,
) -> AsyncIterator[tuple[Node, WebServer | None]]:
    """A node, with the dashboard if "web" is among its roles, for as long as the block runs.

    At the end running bodies get `grace` seconds, and the rest is handed over. `listening` is the dashboard's
    socket if it is bound already, `neighbours` are nodes that may be killed there. Raises DatabaseError, SettingsError.
    """
    node = Node(
        settings,
        workflows,
        steps=steps,
        roles=roles,
        migrates=migrates,
        options=engine_options(settings, exits=True, grace=grace),
    )
    client = await node.start()
    relax()
    try:
        if "web" not in roles:
            yield node, None
            return
        app = create_app(
            client=client,
            hints=node.hints,
            store=node.store,
            settings=settings,
            workflows=node.workflows,
            neighbours=neighbours,
        )
        web = WebServer(app, settings, listening=listening)
        await web.start()
        try:
            yield node, web
        finally:
            await web.stop()
    finally:
        await node.stop(grace=grace)
