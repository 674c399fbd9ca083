"""What the tests of this room start."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orquestrax as ox


@ox.workflow(name="greet")
async def greet(name: str, times: int = 1) -> str:
    return " ".join([f"hello {name}"] * times)


@ox.workflow(name="one")
async def one(value: Any) -> Any:
    return value


@ox.workflow(name="price")
async def price(amount: Decimal) -> str:
    return str(amount)


@ox.workflow(name="approve")
async def approve() -> Any:
    return await ox.receive("approval")


WORKFLOWS = {workflow.name: workflow for workflow in (greet, one, price, approve)}
