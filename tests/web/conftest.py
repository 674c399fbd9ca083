"""A node and its app, asked in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from orquestrax.client.client import Client
from orquestrax.web.app import create_app
from tests.engine.conftest import Bench, bench
from tests.web.flows import WORKFLOWS

__all__ = ["bench"]

TOKEN = "correct-horse-battery-staple-0123456789"
LOCAL = "http://localhost:4000"


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Web:
    """An app on a node's database."""

    bench: Bench
    app: FastAPI
    node: Client
    clock: Clock
    stack: AsyncExitStack
    http: httpx.AsyncClient = field(init=False)

    async def open(
        self, *, base: str = LOCAL, address: str = "127.0.0.1", **options: Any
    ) -> httpx.AsyncClient:
        """Another browser or program."""
        transport = httpx.ASGITransport(self.app, client=(address, 1234), raise_app_exceptions=False)
        return await self.stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url=base, **options)
        )

    async def rows(self) -> int:
        """What is written: instances and messages."""
        found = await self.bench.query(
            "select (select count(*) from {schema}.instances) + (select count(*) from {schema}.inbox) as n"
        )
        return int(found[0]["n"])


async def make_web(bench: Bench, stack: AsyncExitStack, token: str | None, *, host: str = "127.0.0.1") -> Web:
    """A node that serves `WORKFLOWS`, and an app beside it."""
    client = await bench.node(*WORKFLOWS.values())
    node = bench.nodes[-1]
    clock = Clock()
    app = create_app(
        client=client,
        hints=node.hints,
        store=node.store,
        settings=replace(node.settings, token=token, host=host),
        workflows=WORKFLOWS,
        clock=clock,
    )
    web = Web(bench, app, client, clock, stack)
    web.http = await web.open()
    return web


@pytest.fixture
async def web(bench: Bench) -> AsyncIterator[Web]:
    """On loopback, without a token."""
    async with AsyncExitStack() as stack:
        yield await make_web(bench, stack, None)


@pytest.fixture
async def closed(bench: Bench) -> AsyncIterator[Web]:
    """With a token; `http` does not know it."""
    async with AsyncExitStack() as stack:
        yield await make_web(bench, stack, TOKEN, host="0.0.0.0")
