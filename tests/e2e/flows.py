"""What the browser tests run: each ends within a fraction of a second of what it waits for."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import logging
from dataclasses import dataclass, field

import orquestrax as ox
from orquestrax import Retry, step, workflow

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class CardDeclined(Exception):
    """A failure of its own type."""


class Speed(enum.Enum):
    """A choice."""

    NORMAL = "normal"
    EXPRESS = "express"


@dataclass
class Item:
    """A nested object."""

    name: str
    count: int = 1


@dataclass
class Parcel:
    """All kinds of fields."""

    to: str
    weight: float
    speed: Speed = Speed.NORMAL
    gift: bool = False
    on: dt.date | None = None
    items: list[Item] = field(default_factory=list)


@step(name="e2e.charge", retry=Retry(attempts=2, initial=0.05, jitter=0.0), raises=(CardDeclined,))
async def charge(amount: float) -> str:
    """Fails for good above a limit, with a cause."""
    if amount > 100:
        try:
            {}["limit"]
        except KeyError as error:
            raise CardDeclined(f"{amount:g} is over the limit") from error
    return f"paid {amount:g}"


@workflow
async def quick(text: str = "done") -> str:
    """Over at once."""
    return text


@workflow
async def approve(amount: float = 10.0) -> str:
    """Charges, then waits for an approval."""
    receipt = await charge(amount)
    if not await ox.receive("approval", bool):
        raise ox.Rejected("not approved")
    return receipt


@workflow
async def counting() -> int:
    """Adds up what it is sent, until a zero."""
    total = 0
    while number := await ox.receive("number", int):
        total += number
    return total


@workflow
async def send_parcel(parcel: Parcel, note: str = "") -> str:
    """Takes all kinds of input."""
    return f"{parcel.to} {parcel.weight:g} kg {parcel.speed.value} {len(parcel.items)} {note}"


@workflow
async def stubborn() -> str:
    """Cleans up when it is cancelled."""
    try:
        await asyncio.sleep(3600)
    finally:
        await charge(1.0)
    return "never"


@step(name="e2e.fail")
async def fail() -> None:
    """Logs that it failed."""
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        log.exception("it failed")


@workflow
async def talking(first: str = "hello") -> None:
    """Logs what it is sent, until it is sent nothing."""
    if first:
        log.info("%s", first)
    while text := await ox.receive("say", str):
        log.info("%s", text)
        await fail()


going: dict[str, asyncio.Event] = {}  # what a test waits for before its step goes on, by instance


@step(name="e2e.copy")
async def copy() -> None:
    """Says how far it is, and waits to be sent on."""
    mine = going.setdefault(ox.step_info().instance_id, asyncio.Event())
    for done in (0, 412, 1_000):
        ox.progress(done, 1_000, f"<b>file {done}</b>")
        await mine.wait()
        mine.clear()


@workflow
async def copying() -> None:
    """One long step."""
    await copy()
