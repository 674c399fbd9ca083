"""A node to measure: on the database of ORQUESTRAX_DATABASE_URL, else on an embedded server of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import orquestrax as ox
from bench.workloads import ALL
from orquestrax.core.store.embedded import start_embedded
from orquestrax.define.workflow import Workflow
from orquestrax.node import Node
from orquestrax.node.collector import relax
from orquestrax.settings import Settings


@contextmanager
def server_of() -> Iterator[tuple[Path, str]]:
    """A home and the database's address; what is in them goes with the block."""
    with tempfile.TemporaryDirectory(prefix="ox-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        if given := os.environ.get("ORQUESTRAX_DATABASE_URL"):
            yield home, given
            return
        embedded = start_embedded(home=home, project=home)
        try:
            yield home, embedded.dsn
        finally:
            embedded.stop()


@asynccontextmanager
async def serving_node(
    workflows: Iterable[Workflow[..., Any]], home: Path, dsn: str, namespace: str = "bench"
) -> AsyncIterator[tuple[Node, ox.Client]]:
    """A node that serves these, and its client."""
    settings = Settings(database=dsn, home=home, project=home, namespace=namespace)
    node = Node(settings, {workflow.name: workflow for workflow in workflows}, migrates=True)
    client = await node.start()
    relax()
    try:
        yield node, client
    finally:
        await node.stop()


@asynccontextmanager
async def started_node(
    workflows: Iterable[Workflow[..., Any]],
) -> AsyncIterator[tuple[Node, ox.Client, str]]:
    """The same on a server of its own, with its address."""
    with server_of() as (home, dsn):
        async with serving_node(workflows, home, dsn) as (node, client):
            yield node, client, dsn


@asynccontextmanager
async def running_node() -> AsyncIterator[tuple[ox.Client, str]]:
    """A node with the workflows of W1 to W4."""
    async with started_node(ALL) as (_node, client, dsn):
        yield client, dsn
