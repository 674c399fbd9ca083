"""Mistakes: each marked line is one, and both type checkers report exactly the marked lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orquestrax as ox
from orquestrax import Retry, step, workflow


class Pool: ...


@ox.resource
async def db() -> AsyncIterator[Pool]:
    yield Pool()


@step
async def charge(order: str, amount: float) -> int:
    return len(order)


@step(queue="warehouse")
def pack(order: str, pool: Pool = ox.use(db)) -> bytes:
    return order.encode()


@step
def wrong_resource(order: str, pool: str = ox.use(db)) -> bytes:  # error
    return order.encode()


@step(queue=3)  # error
def wrong_queue() -> None: ...


@step(retry=3)  # error
def wrong_retry() -> None: ...


@step(tiemout=3)  # error
def misspelled() -> None: ...


@step(raises=ValueError)  # error
def raises_no_tuple() -> None: ...


@step(executor="fork")  # error
def wrong_executor() -> None: ...


@workflow
def plain(order: str, count: int) -> bytes:
    charge.call(order)  # error
    receipt: str = charge.call(order, 9.5)  # error
    parcel: bytes = pack(order)  # error
    approved: str = ox.await_(ox.receive("approval", bool))  # error
    number, label = ox.await_(asyncio.gather(charge(order, 1.0), pack(order)))
    number.decode()  # error
    label.bit_length()  # error
    ox.await_(charge.call(order, 1.0))  # error
    ox.await_(helper)  # error
    ox.await_(ox.to_greenlet(helper))  # error
    ox.await_(ox.to_greenlet(helper, 3))  # error
    total: str = ox.await_(ox.to_greenlet(helper, order))  # error
    print(receipt, parcel, approved, total, count)
    return charge.call(order, 1.0)  # error


def helper(order: str) -> int:
    return charge.call(order, 1.0)


@workflow(retries=3)  # error
async def wrong_option(order: str) -> str:
    return order


@workflow
async def fulfil(order: str, count: int) -> bytes:
    await charge(order)  # error
    await charge(order, "9.5")  # error
    await charge(order, amount=9.5, currency="EUR")  # error
    receipt: str = await charge(order, 9.5)  # error
    parcel: bytes = pack(order)  # error
    approved: str = await ox.receive("approval", bool)  # error
    number, label = await asyncio.gather(charge(order, 1.0), pack(order))
    number.decode()  # error
    label.bit_length()  # error
    ox.now().ticks()  # error
    print(receipt, parcel, approved, count)
    return await charge(order, 1.0)  # error


def faces() -> None:
    charge.call("1")  # error
    charge.call("1", 2.0).upper()  # error
    pack.fn(1)  # error
    pack.fn("1").bit_length()  # error
    charge.fn("1", 2.0).upper()  # error
    charge.options(timeout="soon")  # error
    charge.options(tiemout=3)  # error
    charge.options(timeout=3)("1")  # error
    pack.options(queue="x")("1").result()  # error
    print(charge.nmae)  # error
    Retry(attempts="3")  # error
    Retry(never=(3,))  # error
    raise ox.RetryAfter("soon")  # error


async def starts(client: ox.Client) -> None:
    await client.start(fulfil, "1")  # error
    await client.start(fulfil, "1", "2")  # error
    await client.start(fulfil, "1", 2, 3)  # error
    await client.start(fulfil, order="1", count=2)  # error
    await client.start(len, "1")  # error
    await client.start(helper, "1")  # error
    await client.start(plain, "1")  # error
    await client.start(plain, "1", "2")  # error
    number: int = await (await client.start(plain, "1", 2)).result()  # error
    print(number)
    await client.start(fulfil, "1", 2, id=3)  # error
    run = await client.start(fulfil, "1", 2)
    text: str = await run.result()  # error
    run.result().upper()  # error
    print(text)


def programs() -> None:
    ox.run(fulfil, "1")  # error
    ox.run(plain, "1")  # error
    ox.run(plain, "1", 2).encode()  # error
    plain.fn("1")  # error
    plain.fn("1", 2).encode()  # error
    ox.run(fulfil, "1", 2).encode()  # error
    with ox.connect_sync() as client:
        client.start(fulfil, 1, 2)  # error
