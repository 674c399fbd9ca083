"""A node that is told to end while it is still starting leaves the cluster as one that stopped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import orquestrax as ox
from orquestrax.node import incarnation
from tests.engine.conftest import Bench


@ox.workflow
async def hello() -> str:
    return "hello"


async def cancelled_at(bench: Bench, reached: asyncio.Event) -> None:
    """Start a node, and tell it to end once it has come that far."""
    starting = asyncio.create_task(bench.node(hello))
    await asyncio.wait_for(reached.wait(), 15)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    bench.nodes.pop()


async def statuses(bench: Bench) -> list[str]:
    return [row["status"] for row in await bench.query("select status from {schema}.nodes order by fence")]


async def test_I14_told_to_end_while_it_registers_a_node_is_stopped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    reached, sound = asyncio.Event(), incarnation.register_node

    async def register_node(*arguments: Any, **columns: Any) -> tuple[int, int]:
        found = await sound(*arguments, **columns)
        reached.set()
        await asyncio.sleep(0.05)
        return found

    monkeypatch.setattr(incarnation, "register_node", register_node)
    await cancelled_at(bench, reached)
    assert await statuses(bench) == ["stopped"]


@pytest.mark.parametrize("service", ["_bury_siblings", "_start"])
async def test_I14_told_to_end_while_it_starts_a_node_is_stopped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, service: str
):
    """Before its services have begun, and after: none of them works on."""
    reached, sound = asyncio.Event(), getattr(incarnation.Incarnation, service)

    async def slowly(self: incarnation.Incarnation, *arguments: Any) -> None:
        await sound(self, *arguments)
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(incarnation.Incarnation, service, slowly)
    await cancelled_at(bench, reached)
    assert await statuses(bench) == ["stopped"]
    monkeypatch.undo()
    client = await bench.node(hello)
    assert await (await client.start(hello, id="h")).result(15) == "hello"
    assert await statuses(bench) == ["stopped", "alive"]
