"""The careful kitchen: what must happen at most once, exactly once, or all over again."""

from __future__ import annotations

import asyncpg

import orquestrax as ox
from orquestrax import Retry, step, workflow
from tests.faults.kitchen import _ran, add, flaky


@step(at_most_once=True)
async def once() -> str:
    _ran()
    return "served"


@step(transactional=True)
async def book(dish: str, tx: asyncpg.Connection = ox.transaction()) -> int:
    _ran()
    await tx.execute("insert into kitchen_bookings (dish) values ($1)", dish)
    return await tx.fetchval("select count(*) from kitchen_bookings where dish = $1", dish)


@workflow(retry=Retry(attempts=2, initial=0.005, jitter=0), timeout=3600)
async def careful_kitchen(n: int) -> dict[str, object]:
    seen: dict[str, object] = {"sum": await add(n, 1), "attempt": ox.info().attempt}
    if ox.info().attempt == 1:
        raise ValueError("burnt")
    try:
        await once()
    except ox.StepInterrupted:
        await flaky("asks")  # only after a crash
    seen["bookings"] = await book(ox.info().id)
    seen["approval"] = await ox.receive("approval", bool)
    return seen


CAREFUL = {"sum": 8, "attempt": 2, "bookings": 1, "approval": True}
