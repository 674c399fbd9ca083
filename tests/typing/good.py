"""The public face as people use it: both type checkers accept every line and agree on every type."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal, assert_type
from uuid import UUID

import orquestrax as ox
from orquestrax import Retry, step, workflow


@dataclass
class Order:
    id: str
    amount: float


class Pool:
    async def pay(self, order: Order) -> str:
        return order.id


class PaymentDeclined(Exception): ...


@ox.resource
async def db() -> AsyncIterator[Pool]:
    yield Pool()


@ox.resource(name="ledger")
def ledger(pool: Pool = ox.use(db)) -> Iterator[list[str]]:
    yield [str(pool)]


assert_type(db, ox.Resource[Pool])
assert_type(ledger, ox.Resource[list[str]])


@step(retry=Retry(attempts=5, never=(PaymentDeclined,)), timeout=30, raises=(PaymentDeclined,))
async def charge(order: Order, pool: Pool = ox.use(db)) -> str:
    assert_type(ox.step_info().idempotency_key, str)
    if order.amount < 0:
        raise PaymentDeclined(order.id)
    if order.amount > 1000:
        raise ox.RetryAfter(timedelta(minutes=5))
    return await pool.pay(order)


@step(queue="warehouse")
def pack(order: Order) -> str:
    return order.id


@step(executor="process", memory="512MB", heartbeat_timeout=timedelta(seconds=30))
def count(path: str) -> int:
    ox.progress(1, 10, "half")
    ox.heartbeat({"row": 1})
    return 0


@step(executor="thread", timeout=timedelta(minutes=10), total_timeout=3600, queue_timeout=60, name="render")
def render_invoice(order: Order, copies: int = 1) -> bytes:
    return order.id.encode() * copies


@step
async def refund(receipt: str) -> None:
    print(receipt)


@step
def ask_for_review(order: Order, *, note: str | None = None) -> None:
    print(order, note)


@workflow
async def fulfil(order: Order) -> str:
    receipt = await charge(order)
    assert_type(receipt, str)
    try:
        async with asyncio.timeout(3 * 86400):
            if not await ox.receive("approval", bool):
                raise ox.Rejected("not approved")  # noqa: TRY301
        parcel, invoice = await asyncio.gather(pack(order), render_invoice(order))
        assert_type(parcel, str)
        assert_type(invoice, bytes)
    except (TimeoutError, ox.Rejected):
        await refund(receipt)
        raise
    await asyncio.sleep(86400)
    await ask_for_review(order, note="thanks")
    return parcel


@workflow(name="nightly", version="2")
async def report(day: str, limit: int) -> list[Order]:
    """What may be read, drawn and awaited in a workflow."""
    assert_type(ox.now(), datetime)
    assert_type(ox.uuid4(), UUID)
    assert_type(ox.random(), Random)
    assert_type(ox.info().id, str)
    assert_type(await ox.receive("order", Order), Order)
    assert_type(await ox.receive("anything"), Any)
    assert_type(await ox.receive("days", list[int]), list[int])
    maybe: int | None = await ox.receive("count", int | None)
    choice: Literal["a", "b"] = await ox.receive("choice", Literal["a", "b"])
    print(day, limit, maybe, choice)
    return []


@workflow
async def nothing() -> None:
    await asyncio.sleep(1)


@workflow
def plainly(order: Order) -> str:
    """The same in a plain def: `step.call` and `ox.await_` block."""
    assert_type(charge.call(order), str)
    if not ox.await_(ox.receive("approval", bool)):
        raise ox.Rejected("not approved")
    assert_type(ox.await_(ox.receive("order", Order)), Order)
    assert_type(ox.await_(ox.receive("anything")), Any)
    parcel, invoice = ox.await_(asyncio.gather(pack(order), render_invoice(order)))
    assert_type(parcel, str)
    assert_type(invoice, bytes)
    assert_type(ox.await_(asyncio.wait_for(charge(order), 5)), str)
    ox.await_(asyncio.sleep(86400))
    shipping = ox.to_greenlet(shipped, order, copies=2)
    assert_type(ox.await_(shipping), int)
    assert_type(ox.await_(asyncio.gather(*[ox.to_greenlet(shipped, order)])), list[int])
    return ox.await_(asyncio.create_task(pack(order)))


def shipped(order: Order, copies: int = 1) -> int:
    return len(render_invoice.call(order, copies))


@workflow(name="plain report", version="2")
def plain_report(day: str, limit: int) -> list[Order]:
    assert_type(ox.now(), datetime)
    print(day, limit)
    return []


async def calls(order: Order) -> None:
    """A call is a coroutine, whatever the function was."""
    assert_type(charge(order), ox.Call[str])
    assert_type(pack(order), ox.Call[str])
    assert_type(await asyncio.gather(pack(order), render_invoice(order)), tuple[str, bytes])
    assert_type(await asyncio.gather(*[pack(order), charge(order)]), list[str])
    assert_type(await asyncio.wait_for(render_invoice(order), 5), bytes)
    assert_type(await asyncio.shield(charge(order)), str)
    assert_type(asyncio.create_task(render_invoice(order, copies=2)), asyncio.Task[bytes])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(refund("r"))
    assert_type(task, asyncio.Task[None])
    coroutine: Coroutine[Any, Any, str] = pack(order)
    assert_type(await coroutine, str)


def faces(order: Order) -> None:
    """The other three faces."""
    assert_type(charge.call(order), str)
    assert_type(render_invoice.call(order, copies=3), bytes)
    assert_type(charge.call(order, Pool()), str)
    assert_type(asyncio.run(charge.fn(order, Pool())), str)
    assert_type(render_invoice.fn(order), bytes)
    assert_type(charge.options(queue="slow", timeout=None)(order), ox.Call[str])
    assert_type(pack.options(retry=Retry(attempts=2), raises=(ValueError,)).call(order), str)
    assert_type(asyncio.run(charge.options(total_timeout=timedelta(hours=1)).fn(order)), str)
    assert_type(charge.options.timeout, float | None)
    assert_type(charge.name, str)


def errors() -> None:
    try:
        raise ox.StepFailed("declined", type="PaymentDeclined")  # noqa: TRY301
    except ox.StepTimedOut as late:
        assert_type(late.step, str)
    except ox.StepFailed as failed:
        assert_type((failed.type, failed.message, failed.traceback), tuple[str, str, str])
        assert_type(failed.cause, ox.StepFailed | None)


async def starts(client: ox.Client, order: Order) -> None:
    """Arguments of a start are positional, and checked against the workflow's parameters."""
    run = await client.start(fulfil, order, id="order-42")
    assert_type(run, ox.Run[str])
    assert_type(await run.result(), str)
    assert_type(await (await client.start(report, "2026-01-01", 10)).result(), list[Order])
    assert_type(await client.start(plainly, order, id="order-43"), ox.Run[str])
    assert_type(await (await client.start(plain_report, "2026-01-01", 10)).result(), list[Order])
    await client.start(nothing)
    assert_type(await (await client.get("order-42", fulfil)).result(), str)
    assert_type(await (await client.get("order-43", plainly)).result(), str)
    await run.signal("approval", value=True)


async def programs(order: Order) -> None:
    """Ways to a client."""
    async with ox.connect() as client:
        assert_type(client, ox.Client)
    async with ox.node(modules=[asyncio], roles="engine,worker") as client:
        assert_type(await (await client.start(fulfil, order)).result(), str)


def blocking(order: Order) -> None:
    """The same without an event loop."""
    assert_type(ox.run(fulfil, order, id="order-42"), str)
    assert_type(ox.run(plainly, order, id="order-43"), str)
    assert_type(plainly.fn(order), str)
    assert_type(asyncio.run(fulfil.fn(order)), str)
    with ox.connect_sync() as client:
        assert_type(client.start(fulfil, order).result(), str)
        assert_type(client.start(plainly, order).result(), str)


def keeps(anything: ox.Step[[Order], str], any_workflow: ox.Workflow[[Order], str]) -> None:
    """Names of the types, for code that passes declarations around."""
    assert_type(anything(Order("1", 1.0)), ox.Call[str])
    assert_type(any_workflow.name, str)


keeps(pack, fulfil)
keeps(charge, plainly)
