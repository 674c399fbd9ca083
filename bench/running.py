"""A node to measure: on the database of ORQUESTRAX_DATABASE_URL, else on an embedded server of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orquestrax as ox
from bench.workloads import ALL
from orquestrax.core.store.embedded import start_embedded
from orquestrax.node import Node
from orquestrax.node.collector import relax
from orquestrax.settings import Settings


@asynccontextmanager
async def running_node() -> AsyncIterator[tuple[ox.Client, str]]:
    """Its client and the database's address, for as long as the block runs; the data goes with it."""
    with tempfile.TemporaryDirectory(prefix="ox-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        given = os.environ.get("ORQUESTRAX_DATABASE_URL")
        embedded = None if given else start_embedded(home=home, project=home)
        dsn = given or embedded.dsn  # type: ignore[union-attr]
        settings = Settings(database=dsn, home=home, project=home, namespace="bench")
        node = Node(settings, {workflow.name: workflow for workflow in ALL}, migrates=True)
        client = await node.start()
        relax()
        try:
            yield client, dsn
        finally:
            await node.stop()
            if embedded is not None:
                embedded.stop()
