"""A schema per test, and nodes in it that end with the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from orquestrax.client.client import Client
from orquestrax.core.store.database import Address
from orquestrax.core.store.deaths import declare_dead
from orquestrax.define.workflow import Workflow
from orquestrax.node import EngineOptions, Node
from orquestrax.settings import Settings
from tests.engine.gated import gates, ran
from tests.schemas import lent

QUICK = EngineOptions(poll=0.1)


@dataclass
class Bench:
    """Where nodes of one test live."""

    dsn: str
    home: Path
    namespace: str
    hints: bool = True
    nodes: list[Node] = field(default_factory=list)

    @property
    def address(self) -> Address:
        return Address(dsn=self.dsn, schema=self.namespace)

    async def node(
        self,
        *workflows: Workflow[..., Any],
        options: EngineOptions = QUICK,
        roles: str = "engine,worker",
        slots: int | None = None,
    ) -> Client:
        """Start a node that serves exactly these; without any it is a mere client."""
        settings = Settings(
            database=self.dsn,
            home=self.home,
            project=self.home,
            namespace=self.namespace,
            hints=self.hints,
            slots=slots,
        )
        chosen = roles.split(",") if workflows else ()
        node = Node(settings, {w.name: w for w in workflows}, roles=chosen, options=options, migrates=False)
        self.nodes.append(node)
        return await node.start()

    async def stop(self, index: int = -1) -> None:
        """Stop a node cleanly."""
        await self.nodes.pop(index).stop(grace=0)

    async def crash(self, index: int = -1) -> None:
        """Drop a node as a crash would, and declare it dead as a successor on the machine does at once."""
        node = self.nodes.pop(index)
        incarnation = node.incarnation
        await node.abandon()
        if incarnation is not None:
            await declare_dead(self.address, incarnation.fence.space, incarnation.fence.number, None)

    async def query(self, text: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of a query; `{schema}` stands for this test's schema."""
        connection = await asyncpg.connect(self.dsn)
        try:
            text = text.replace("{schema}", f'"{self.namespace}"')
            rows: list[asyncpg.Record] = await connection.fetch(text, *arguments)
            return rows
        finally:
            await connection.close()


@pytest.fixture
async def bench(dsn: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with lent(dsn) as schema:
        made = Bench(dsn, tmp_path, schema)
        yield made
        for node in reversed(made.nodes):
            await node.stop(grace=0)


@pytest.fixture
def gate() -> asyncio.Event:
    """What the bodies of a test wait for; none of them has run yet."""
    ran.clear()
    gates[:] = [asyncio.Event()]
    return gates[0]
