"""Two hundred and forty orders, from a CSV file to the parcel, one workflow each.

    python examples/orders.py                      # a day takes a second; Ctrl-C, run it again, and it goes on
    python examples/orders.py my.csv --day 0.1     # your own file, and quicker
    orquestrax dev examples/orders.py              # by hand: start `fulfil`, send `approval` from the dashboard

Stock is reserved, the card charged, a large order waits for somebody's approval for two days, then everything is
picked side by side and shipped. When that cannot go on, what was done is undone, in reverse. Five days later the
customer is asked for a review. What happens outside is written to orders.sqlite, where a double charge would show.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from orderbook.model import (
    Approval,
    CardDeclined,
    Item,
    NotApproved,
    NotDeliverable,
    Order,
    Outcome,
    OutOfStock,
    Refused,
)
from orderbook.world import World

import orquestrax as ox

LIMIT: Final = Decimal(1000)  # euros: above it somebody has to agree
APPROVAL_DAYS: Final = 2
REVIEW_DAYS: Final = 5
DECLINED: Final = {"0002": "declined", "9995": "no cover", "0069": "expired"}
UNREACHABLE: Final = frozenset({"AQ", "BV", "HM"})
PATIENT: Final = ox.Retry(attempts=6, initial=0.2, max_delay=10)


class GatewayBusy(Exception):
    """The payment gateway takes no requests just now."""


@ox.resource
def the_world() -> Iterator[World]:
    """The services of the shop; ORDERS_WORLD names their file."""
    world = World(Path(os.environ.get("ORDERS_WORLD", "orders.sqlite")))
    yield world
    world.close()


def once(world: World, kind: str, make: Callable[[int], str], **details: Any) -> str:
    """Ask the world for something, with the key that stays the same however often this step is tried."""
    info = ox.step_info()
    return world.once(info.idempotency_key, kind, info.instance_id, make, **details)


@ox.step(raises=(OutOfStock,))
def reserve(items: list[Item], world: World = ox.use(the_world)) -> str:
    return once(world, "reserve", "R-{:06}".format, sells=items)


@ox.step(retry=PATIENT)
def release(items: list[Item], world: World = ox.use(the_world)) -> str:
    return once(world, "release", "RR-{:06}".format, takes_back=items)


@ox.step(retry=ox.Retry(attempts=6, initial=0.2, never=(CardDeclined,)), timeout=30, raises=(CardDeclined,))
def charge(card: str, euros: Decimal, world: World = ox.use(the_world)) -> str:
    """Now and then the gateway is busy, or the line drops after the money has gone: the key makes that harmless."""
    info = ox.step_info()
    luck = zlib.crc32(info.instance_id.encode()) % 10 if info.attempt == 1 else 9
    if luck == 0:
        raise GatewayBusy("503, try again")
    if card[-4:] in DECLINED:
        raise CardDeclined(f"{card}: {DECLINED[card[-4:]]}")
    receipt = once(world, "charge", "P-{:06}".format, euros=euros)
    if luck == 1:
        raise ConnectionResetError("the line to the gateway dropped before it answered")
    return receipt


@ox.step(retry=PATIENT)
def refund(receipt: str, euros: Decimal, world: World = ox.use(the_world)) -> str:
    return once(world, "refund", f"{receipt}-{{}}".format, euros=euros)


@ox.step(retry=PATIENT)
def pick(item: Item, world: World = ox.use(the_world)) -> str:
    time.sleep(0.005)  # the way to the shelf
    shelf = f"{item.quantity} x {item.sku} from shelf {zlib.crc32(item.sku.encode()) % 40}"
    return once(world, "pick", lambda _number: shelf)


@ox.step(retry=ox.Retry(attempts=6, initial=0.2, never=(NotDeliverable,)), raises=(NotDeliverable,))
def ship(country: str, picked: list[str], world: World = ox.use(the_world)) -> str:
    if country in UNREACHABLE:
        raise NotDeliverable(f"no courier takes {len(picked)} item(s) to {country}")
    return once(world, "parcel", f"{country}{{:08}}".format)


@ox.step(retry=PATIENT)
def write_to(email: str, text: str, world: World = ox.use(the_world)) -> None:
    once(world, "letter", lambda _number: f"to {email}: {text}")


@ox.workflow
async def fulfil(order: Order, day: float = 86_400) -> Outcome:
    """One order, from the reservation to the review; `day` is the length of a day in seconds."""
    try:
        parcel = await deliver(order, day)
    except Refused as refused:
        await write_to(order.email, f"We are sorry, {order.customer}: {refused}.")
        return Outcome(refused.status, order.euros, reason=str(refused))
    await write_to(order.email, f"Your parcel {parcel} is on its way, {order.customer}.")
    await asyncio.sleep(REVIEW_DAYS * day)
    await write_to(order.email, f"How do you like it, {order.customer}?")
    return Outcome("delivered", order.euros, parcel=parcel)


async def deliver(order: Order, day: float) -> str:
    """The parcel's number. Raises Refused, and then the money and the goods are back where they were."""
    async with AsyncExitStack() as undo:
        await reserve(order.items)
        undo.push_async_callback(release, order.items)
        receipt = await charge(order.card, order.euros)
        undo.push_async_callback(refund, receipt, order.euros)
        if order.euros > LIMIT:
            await approved(APPROVAL_DAYS * day)
        picked = await asyncio.gather(*(pick(item) for item in order.items))
        parcel: str = await ship(order.country, list(picked))
        undo.pop_all()  # from here on nothing is taken back
        return parcel


async def approved(seconds: float) -> None:
    """Return once somebody has agreed. Raises NotApproved at a no, and when the time is over."""
    try:
        async with asyncio.timeout(seconds):
            answer = await ox.receive("approval", Approval)
    except TimeoutError:
        raise NotApproved(f"nobody approved it within {APPROVAL_DAYS} days") from None
    if not answer.granted:
        raise NotApproved(f"{answer.by} did not approve it")


if __name__ == "__main__":
    from orderbook.program import main

    sys.exit(main(sys.modules[__name__]))
