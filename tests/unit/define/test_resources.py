"""Resources are made once, shared, and closed in reverse order; a failure costs no more than its attempt."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from orquestrax import DefinitionError, resource, step, use
from orquestrax.define.resources import Resources, Use, overriding, uses_of


class Log(list):
    """What happened, in order."""


def make(log, name, *, before=None, on_close=None):
    """A resource that yields its name and tells of its life."""

    async def life() -> AsyncIterator[str]:
        log.append(f"open {name}")
        if before is not None:
            await before()
        yield name
        if on_close is not None:
            on_close()
        log.append(f"close {name}")

    return resource(name=name)(life)


def taker(**uses):
    """Something that takes resources."""

    class Taker:
        pass

    Taker.uses = uses
    return Taker()


async def test_made_at_first_use_once_and_closed_in_reverse_order():
    log, resources = Log(), Resources()
    one, two = make(log, "one"), make(log, "two")
    assert log == []
    assert await resources.bind(taker(a=one), {"x": 1}) == {"x": 1, "a": "one"}
    assert await resources.bind(taker(b=two, a=one), {}) == {"b": "two", "a": "one"}
    assert log == ["open one", "open two"]
    await resources.aclose()
    assert log == ["open one", "open two", "close two", "close one"]


async def test_what_is_passed_is_not_made():
    log, resources = Log(), Resources()
    one = make(log, "one")
    assert await resources.bind(taker(a=one), {"a": "fake"}) == {"a": "fake"}
    assert await resources.bind(taker(a=one), {}, passed=("a",)) == {}
    assert log == []


async def test_concurrent_first_users_wait_for_one_creation():
    log, resources, go = Log(), Resources(), asyncio.Event()
    one = make(log, "one", before=go.wait)
    users = [asyncio.create_task(resources.get(one)) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not any(user.done() for user in users)
    go.set()
    assert await asyncio.gather(*users) == ["one"] * 20
    assert log == ["open one"]
    await resources.aclose()


async def test_a_failed_creation_fails_who_waits_and_is_not_kept():
    log, resources, outcomes = Log(), Resources(), [OSError("refused"), None]

    async def connect():
        await asyncio.sleep(0)
        if (outcome := outcomes.pop(0)) is not None:
            raise outcome

    one = make(log, "one", before=connect)
    first = await asyncio.gather(resources.get(one), resources.get(one), return_exceptions=True)
    assert [str(error) for error in first] == ["refused", "refused"]
    assert await resources.get(one) == "one"
    await resources.aclose()
    assert log == ["open one", "open one", "close one"]


async def test_an_impatient_first_user_does_not_harm_the_others():
    log, resources, go = Log(), Resources(), asyncio.Event()
    one = make(log, "one", before=go.wait)
    first, second = asyncio.create_task(resources.get(one)), asyncio.create_task(resources.get(one))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go.set()
    assert await second == "one"
    await resources.aclose()
    assert log == ["open one", "close one"]


async def test_closing_gives_up_what_is_still_being_made():
    log, resources = Log(), Resources()
    one = make(log, "one", before=asyncio.Event().wait)
    user = asyncio.create_task(resources.get(one))
    while log != ["open one"]:
        await asyncio.sleep(0)
    await resources.aclose()
    with pytest.raises(asyncio.CancelledError):
        await user
    assert log == ["open one"]


async def test_all_are_closed_before_an_error_of_closing_is_raised():
    log, resources = Log(), Resources()

    def fail():
        raise OSError("broken pipe")

    one, two = make(log, "one"), make(log, "two", on_close=fail)
    await resources.get(one)
    await resources.get(two)
    with pytest.raises(OSError, match="broken pipe"):
        await resources.aclose()
    assert log == ["open one", "open two", "close one"]
    await resources.aclose()


async def test_a_resource_may_take_others_and_is_closed_before_them():
    log, resources = Log(), Resources()
    pool = make(log, "pool")

    @resource
    async def repository(pool: str = use(pool)) -> AsyncIterator[str]:
        log.append(f"open repository of {pool}")
        yield "repository"
        log.append("close repository")

    assert await resources.get(repository) == "repository"
    await resources.aclose()
    assert log == ["open pool", "open repository of pool", "close repository", "close pool"]


async def test_what_a_resource_opens_is_closed_by_the_task_that_opened_it():
    tasks = []

    @resource
    async def scoped() -> AsyncIterator[str]:
        async with asyncio.timeout(60), asyncio.TaskGroup():  # both refuse another task
            tasks.append(asyncio.current_task())
            yield "scoped"
        tasks.append(asyncio.current_task())

    resources = Resources()
    user = asyncio.create_task(resources.get(scoped))
    assert await user == "scoped"
    await asyncio.create_task(resources.aclose())
    assert len(set(tasks)) == 1
    assert "resource scoped" in repr(tasks[0])


async def test_a_plain_one_is_made_and_closed_in_threads():
    threads = []

    @resource
    def client() -> Iterator[str]:
        threads.append(threading.current_thread())
        yield "client"
        threads.append(threading.current_thread())

    resources = Resources()
    assert await resources.get(client) == "client"
    await resources.aclose()
    assert len(threads) == 2
    assert threading.current_thread() not in threads


@pytest.mark.parametrize("yields", [0, 2])
async def test_it_yields_once(yields):
    @resource
    async def odd() -> AsyncIterator[int]:
        for number in range(yields):
            yield number

    async def live():
        resources = Resources()
        await resources.get(odd)
        await resources.aclose()

    with pytest.raises(
        DefinitionError, match=r"test_resources.py:\d+: resource odd .* yields its value once"
    ):
        await live()


async def test_overriding_puts_a_value_or_another_resource_in_its_place():
    log, resources = Log(), Resources()
    one, two = make(log, "one"), make(log, "two")
    with overriding(one, "fake"):
        assert await resources.get(one) == "fake"
        with overriding(one, two):
            assert await resources.get(one) == "two"
        assert await resources.get(one) == "fake"
        with overriding(one, None):
            assert await resources.get(one) is None
    assert await resources.get(one) == "one"
    await resources.aclose()
    assert log == ["open two", "open one", "close one", "close two"]


LIFE = Log()
db = make(LIFE, "db")
ledger = make(LIFE, "ledger")


@step
async def charge(order: str, pool: str = use(db), *, book: str = use(ledger)) -> str:
    return f"{order} {pool} {book}"


@step
def pack(order: str, pool: str = use(db)) -> str:
    return f"{order} {pool}"


@pytest.fixture(autouse=True)
def _no_life():
    LIFE.clear()


def test_a_step_knows_what_it_takes():
    assert charge.uses == {"pool": db, "book": ledger}
    assert uses_of(pack.fn) == {"pool": db}
    assert use(db) == Use(db)


def test_outside_of_a_workflow_they_live_as_long_as_the_loop():
    async def main():
        return [await charge("a"), await pack("b"), await charge("c", "mine"), await pack("d", pool="mine")]

    assert asyncio.run(main()) == ["a db ledger", "b db", "c mine ledger", "d mine"]
    assert LIFE == ["open db", "open ledger", "close ledger", "close db"]


def test_a_step_that_a_body_runs_takes_from_where_the_body_took():
    @step
    async def outer(order: str, pool: str = use(db)) -> str:
        return await charge(order)

    async def body(resources):
        return await outer.fn("a", **await resources.bind(outer, {}))

    async def main():
        resources = Resources()
        text = await asyncio.create_task(body(resources))
        await resources.aclose()
        return text, list(LIFE)

    assert asyncio.run(main()) == ("a db ledger", ["open db", "open ledger", "close ledger", "close db"])


def test_a_blocking_call_in_a_step_s_thread_runs_where_the_resources_live():
    loops = []

    @step
    async def query(pool: str = use(db)) -> str:
        loops.append(asyncio.get_running_loop())
        return pool

    @step
    def outer(pool: str = use(db)) -> str:
        return query.call()

    async def main():
        loops.append(asyncio.get_running_loop())
        return await outer()

    assert asyncio.run(main()) == "db"
    assert loops[0] is loops[1]
    assert LIFE == ["open db", "close db"]


def test_a_loop_of_its_own_in_a_step_s_thread_has_resources_of_its_own():
    @step
    async def query(pool: str = use(db)) -> str:
        return pool

    async def awaited(a_step):
        return await a_step()

    @step
    def outer(pool: str = use(db)) -> str:
        return pool + asyncio.run(awaited(query))

    assert asyncio.run(awaited(outer)) == "dbdb"
    assert LIFE == ["open db", "open db", "close db", "close db"]


PROGRAM = """
from collections.abc import AsyncIterator, Iterator
from orquestrax import resource, step, use

@resource
async def pool() -> AsyncIterator[str]:
    print("open pool")
    yield "pool"
    print("close pool")

@resource
def client(pool: str = use(pool)) -> Iterator[str]:
    print("open client")
    yield "client"
    print("close client")

@step
async def one(number: int, pool: str = use(pool)) -> str:
    return f"{number} {pool}"

@step
def two(number: int, client: str = use(client)) -> str:
    return f"{number} {client}"

print(one.call(1), two.call(2), one.call(3), two.call(4))
"""


def test_blocking_calls_of_a_program_share_them_until_it_ends():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [
        "open pool",
        "open client",
        "1 pool 2 client 3 pool 4 client",
        "close client",
        "close pool",
    ]
    assert run.stderr == ""
