"""Workflows that do not do the same again, each in its way, and some that do."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass

import orquestrax as ox

NAMES = [f"name-{number}" for number in range(40)]
counter = itertools.count()


@ox.step
async def one(name: str) -> str:
    return name


@ox.step
async def two(name: str) -> str:
    return name


@ox.workflow
async def in_the_order_of_a_set() -> int:
    """Which of two steps comes first depends on the hash seed: forty names make chance small."""
    for name in set(NAMES):  # ox: allow
        await (one(name) if int(name[5:]) % 2 else two(name))
    return len(NAMES)


@ox.workflow
async def results_in_the_order_of_a_set() -> list[str]:
    """Asks for nothing, and returns what the hash seed says."""
    return list(set(NAMES))  # ox: allow


@ox.workflow
async def arguments_in_the_order_of_a_set() -> str:
    return await one(",".join(set(NAMES)))  # ox: allow


@ox.workflow
async def with_the_clock_in_an_argument() -> str:
    return await one(str(time.time_ns()))  # ox: allow


@ox.workflow
async def with_a_timer_that_varies() -> None:
    await asyncio.sleep((1 + next(counter)) / 1e6)


@ox.workflow
async def steady(names: list[str]) -> list[str]:
    return [await one(name) for name in sorted(set(names))]


@dataclass
class Order:
    id: str
    lines: frozenset[str] = frozenset()


@ox.workflow
async def with_sets_as_values(order: Order) -> Order:
    """Sets go through JSON in one order, so they are no fault by themselves."""
    await one(order.id)
    return order


@ox.workflow
async def failing() -> None:
    await one("x")
    raise ValueError("as it should")


def within() -> ox.Workflow[[], str]:
    """A workflow that no other process can find."""

    @ox.workflow
    async def hidden() -> str:
        return str(time.time_ns())  # ox: allow

    return hidden
