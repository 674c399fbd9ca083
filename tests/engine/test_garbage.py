"""What has ended leaves nothing for the garbage collector, whose time is taken from everybody's steps."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import orquestrax as ox
from tests.engine.conftest import Bench
from tests.engine.until import until_so


@ox.step
async def small(n: int) -> int:
    return n


@ox.workflow
async def in_a_row() -> int:
    return sum([await small(n) for n in range(5)])


@ox.workflow
async def at_once() -> int:
    return sum(await asyncio.gather(*(small(n) for n in range(5))))


@ox.workflow
async def fails() -> int:
    raise ValueError(await small(1))


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def _seen(bench: Bench) -> list[weakref.ref[Any]]:
    """Note each instance, and the code of it, as it leaves the node's memory."""
    incarnation = bench.nodes[-1].incarnation
    assert incarnation is not None
    memory, seen = incarnation.orchestrator.memory, list[weakref.ref[Any]]()
    remove = memory.remove

    def noted(key: Any, ending: Any) -> None:
        replay = memory.executions[key].replay
        seen.extend([weakref.ref(replay), weakref.ref(replay.loop)])
        remove(key, ending)

    memory.remove = noted  # type: ignore[method-assign]
    return seen


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("workflow", [in_a_row, at_once, fails], ids=lambda workflow: workflow.name)
async def test_what_has_ended_is_gone_without_the_garbage_collector(bench: Bench, workflow: Any) -> None:
    client = await bench.node(workflow)
    seen = await _seen(bench)
    runs = [await client.start(workflow) for _ in range(3)]
    await asyncio.gather(*(run.result() for run in runs), return_exceptions=True)
    await until_so(lambda: len(seen) == 2 * len(runs) and not any(part() for part in seen))
