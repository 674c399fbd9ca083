"""The workflows of the dashboard's buttons, and examples to read.

`test_workflow` is about eight seconds of ordinary work:

validate the shipment -> pack it, book a courier and insure it side by side -> wait two seconds -> report. The
courier fails once, on purpose, so that a retry is to be seen; what happens is logged, and packing says how far
it is. Kill the process in the middle and start it again: what is done stays done.

`test_fan_out` is for the Cluster page: 200 steps at once, to see how nodes share them, and what happens when one dies.

Every node of `dev` serves them beside its own definitions, so their steps have a prefix.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass

from orquestrax.define.step import step
from orquestrax.define.workflow import workflow
from orquestrax.model.options import Retry
from orquestrax.worker.info import step_info
from orquestrax.worker.progress import progress

log = logging.getLogger("test_workflow")
PATIENT = Retry(attempts=5, initial=0.8, jitter=0.0)


@dataclass(frozen=True)
class Shipment:
    """What is to be sent: pieces, and their weight in kilograms."""

    pieces: int = 3
    weight: float = 4.5


class CourierBusyError(Exception):
    """The courier's service takes no orders just now."""


@step(name="test.validate")
async def validate(shipment: Shipment) -> Shipment:
    """Refuse what nobody can carry."""
    log.info("validating %d pieces, %g kg together", shipment.pieces, shipment.weight)
    await asyncio.sleep(1.2)
    if shipment.pieces < 1 or shipment.weight <= 0:
        raise ValueError(f"{shipment.pieces} pieces of {shipment.weight} kg together: nothing to send")
    return shipment


@step(name="test.pack", retry=PATIENT)
async def pack(shipment: Shipment) -> str:
    """One box per five kilograms."""
    for done in range(4):
        progress(done, 4, "boxes")
        await asyncio.sleep(0.4)
    return f"{1 + int(shipment.weight // 5)} box(es) for {shipment.pieces} piece(s)"


@step(name="test.book_courier", retry=PATIENT)
async def book_courier(shipment: Shipment) -> str:
    """Fails at its first attempt: the retry policy deals with that, not the workflow."""
    await asyncio.sleep(1.1)
    if step_info().attempt == 1:
        log.warning("the courier does not answer")
        raise CourierBusyError("all lines are busy, try again")
    return f"courier booked for {shipment.weight:g} kg"


@step(name="test.insure", retry=PATIENT)
async def insure(shipment: Shipment) -> str:
    """As good as any policy."""
    await asyncio.sleep(1.9)
    return f"insured for {shipment.pieces * 100} EUR"


@step(name="test.report")
async def report(packed: str, courier: str, insurance: str) -> str:
    """Say what was done."""
    await asyncio.sleep(1.2)
    return f"{packed}; {courier}; {insurance}"


@workflow
async def test_workflow(shipment: Shipment = Shipment()) -> str:  # noqa: PT028 - no test
    """Send a shipment: validate, three jobs side by side, a pause of two seconds, a report."""
    shipment = await validate(shipment)
    packed, courier, insurance = await asyncio.gather(
        pack(shipment), book_courier(shipment), insure(shipment)
    )
    log.info("ready: %s, %s, %s", packed, courier, insurance)
    await asyncio.sleep(2)
    return await report(packed, courier, insurance)


@step(name="test.stamp")
def stamp(number: int) -> str:
    """In a thread, so that the slots of one node do not suffice: the others help."""
    time.sleep(1.2)
    return hashlib.sha256(f"parcel {number}".encode()).hexdigest()


@workflow
async def test_fan_out(parcels: int = 200) -> str:  # noqa: PT028 - no test
    """Stamp parcels, all at once, on all nodes. Its result is the same whichever of them die meanwhile."""
    stamps = await asyncio.gather(*[stamp(number) for number in range(parcels)])
    return f"{parcels} parcels, seal {hashlib.sha256(''.join(stamps).encode()).hexdigest()[:12]}"
