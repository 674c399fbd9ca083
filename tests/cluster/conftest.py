"""Several nodes in one schema, each with its part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from orquestrax.client.client import Client
from orquestrax.model.queues import read_queues
from orquestrax.node import EngineOptions, Node
from orquestrax.settings import Settings
from tests.engine.conftest import QUICK, Bench
from tests.schemas import lent

__all__ = ["Cluster"]


class Cluster(Bench):
    """Where nodes of one test live, each with roles, queues and slots of its own."""

    async def join(
        self,
        *workflows: Any,
        steps: Sequence[Any] = (),
        roles: str = "engine,worker",
        queues: str = "*",
        slots: int | None = None,
        options: EngineOptions = QUICK,
    ) -> Client:
        """Start a node."""
        settings = Settings(
            database=self.dsn,
            home=self.home,
            project=self.home,
            namespace=self.namespace,
            queues=read_queues(queues, "the test"),
            slots=slots,
        )
        node = Node(
            settings,
            {w.name: w for w in workflows},
            steps={s.name: s for s in steps},
            roles=roles.split(","),
            options=options,
            migrates=False,
        )
        self.nodes.append(node)
        return await node.start()

    async def tasks(self, where: str = "true") -> list[Any]:
        """Rows of the cluster's queues."""
        return await self.query(
            "select command, step, queue, lane, priority, attempt, worker, lost, options::text, once"
            f" from {{schema}}.tasks where {where} order by instance, command"
        )

    async def until(self, so: Callable[[], Awaitable[object]]) -> None:
        """Until it is so; in vain it fails by its own limit."""
        async with asyncio.timeout(20):
            while not await so():
                await asyncio.sleep(0.01)


@pytest.fixture
async def cluster(dsn: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with lent(dsn) as schema:
        made = Cluster(dsn, tmp_path, schema)
        yield made
        for node in reversed(made.nodes):
            await node.stop(grace=0)
