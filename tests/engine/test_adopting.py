"""What was claimed comes into memory in order and in slices, while the batch behind it is read already."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from orquestrax.core.adopting import Adopting
from orquestrax.model.rows import History, InstanceRow

ROWS = 20
LONG = 0.005  # seconds of replay: four of them are a slice


class Parts:
    """Store, orchestrator and takeovers; `seen` is what they were asked for, in order."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.fails: UUID | None = None
        self.adopting = Adopting(
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            on_read=lambda _histories: None,
            on_adopted=lambda rows: self.seen.append(("adopted", len(rows))),
        )

    async def histories(self, keys: Sequence[UUID]) -> dict[UUID, History]:
        await asyncio.sleep(0)
        self.seen.append("read")
        return {key: History() for key in keys}

    async def note(self, _rows: Sequence[InstanceRow], _histories: Mapping[UUID, History]) -> None: ...

    def adopt(self, row: InstanceRow, _history: History) -> None:
        if row.key == self.fails:
            raise RuntimeError("a fault of the engine")
        time.sleep(LONG)
        self.seen.append(row.key)


@pytest.fixture
async def parts() -> Parts:
    return Parts()


def batch() -> list[InstanceRow]:
    return [
        InstanceRow(
            key=uuid4(),
            id="x",
            definition="d",
            version="",
            status="running",
            started_at=0,
            mail=0,
            input="[]",
            created_at=0,
        )
        for _ in range(ROWS)
    ]


def keys(rows: Sequence[InstanceRow]) -> list[UUID]:
    return [row.key for row in rows]


async def test_the_next_batch_is_read_while_this_one_is_rebuilt(parts: Parts):
    """Against the mutant that waits until each batch is in memory before it reads the next."""
    first, second = batch(), batch()
    await parts.adopting.take(first)
    await parts.adopting.take(second)
    assert parts.seen.index("read", 1) < parts.seen.index(first[-1].key)
    assert parts.seen[-1] == ("adopted", ROWS), "there is never more than one batch ahead"
    assert parts.adopting.ahead == ROWS
    await parts.adopting.settle()
    assert [seen for seen in parts.seen if isinstance(seen, UUID)] == keys(first) + keys(second)
    assert parts.adopting.ahead == 0


async def test_what_runs_already_gets_its_turn_in_between(parts: Parts):
    turns = 0
    await parts.adopting.take(batch())
    settled = asyncio.create_task(parts.adopting.settle())
    while not settled.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 4


async def test_abandoned_it_adopts_nothing_more(parts: Parts):
    rows = batch()
    await parts.adopting.take(rows)
    while rows[0].key not in parts.seen:
        await asyncio.sleep(0)
    parts.adopting.abandon()
    await parts.adopting.settle()
    seen = len(parts.seen)
    await asyncio.sleep(10 * LONG)
    assert len(parts.seen) == seen < ROWS


async def test_a_fault_of_the_engine_ends_its_batch_and_not_the_next(parts: Parts):
    """Those behind it come with the next comparison of memory and table."""
    told = list[str]()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: told.append(str(context["exception"])))
    first, second = batch(), batch()
    parts.fails = first[3].key
    await parts.adopting.take(first)
    await parts.adopting.take(second)
    await parts.adopting.settle()
    assert told == ["a fault of the engine"]
    assert parts.adopting.ahead == 0
    assert [seen for seen in parts.seen if isinstance(seen, UUID)] == keys(first[:3]) + keys(second)
