"""A node with its dashboard as a process of its own, to be killed: DSN NAMESPACE HOME PORT."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from orquestrax.node import Node
from orquestrax.settings import Settings
from orquestrax.web.app import create_app
from orquestrax.web.server import WebServer
from tests.e2e.support import SERVED


async def main(dsn: str, namespace: str, home: str, port: str) -> None:
    """Serve until the end of the process."""
    settings = Settings(
        database=dsn, namespace=namespace, home=Path(home), project=Path(home), port=int(port)
    )
    node = Node(settings, SERVED, migrates=True)
    client = await node.start()
    app = create_app(client=client, hints=node.hints, store=node.store, settings=settings, workflows=SERVED)
    await WebServer(app, settings).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
