"""Wrong declarations are refused where they stand, with one sentence that names file and line."""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncIterator

import asyncpg
import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from orquestrax import DefinitionError, Retry, resource, step, transaction, use, workflow
from orquestrax.define.checks import place


async def fine() -> None: ...


def plain() -> None: ...


async def async_generator() -> AsyncIterator[int]:
    yield 1


def generator():
    yield 1


def unresolvable(order: Missing) -> None: ...  # noqa: F821


async def unresolvable_too(order: Missing) -> None: ...  # noqa: F821


def timed(fn):
    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        return fn(*args, **kwargs)

    return wrapper


class Shop:
    async def method(self) -> None: ...

    @classmethod
    async def by_class(cls) -> None: ...


@resource
async def db() -> AsyncIterator[int]:
    yield 1


async def takes_by_position(pool: int = use(db), /) -> None: ...


async def takes(pool: int = use(db)) -> None: ...


async def takes_transaction(tx: asyncpg.Connection = transaction()) -> None: ...


async def takes_two(
    tx: asyncpg.Connection = transaction(), ty: asyncpg.Connection = transaction()
) -> None: ...


async def takes_it_first(tx: asyncpg.Connection = transaction(), /) -> None: ...


async def takes_a_pool(tx: asyncpg.Pool = transaction()) -> None: ...


async def takes_anything(tx=transaction()) -> None: ...


async def takes_plain(tx: psycopg.Connection = transaction()) -> None: ...


def takes_async(tx: AsyncSession = transaction()) -> None: ...


def takes_plainly(tx: psycopg.Connection = transaction()) -> None: ...


async def needs(url: str) -> AsyncIterator[int]:
    yield 1


WRONG = {
    "generator step": (lambda: step(generator), "generator is a generator: a step returns its result"),
    "async generator step": (lambda: step(async_generator), "a step returns its result, without yield"),
    "generator workflow": (lambda: workflow(async_generator), "a workflow returns its result"),
    "lambda": (lambda: step(lambda: 1), "a lambda has no name of its own: write a def, or pass name="),
    "partial": (lambda: step(functools.partial(plain)), "not for a partial: wrap the call in a def"),
    "class": (lambda: step(Shop), "not for the class Shop"),
    "builtin": (lambda: step(len), "not for a builtin_function_or_method"),
    "bound method": (lambda: step(Shop().method), "not for a method: wrap the call in a def"),
    "method": (lambda: step(Shop.method), "Shop.method is a method: a step is a function of its module"),
    "classmethod": (lambda: step(Shop.__dict__["by_class"]), "not for a classmethod: put it above"),
    "twice": (lambda: step(step(fine)), "not for the step fine at "),
    "hidden async": (lambda: step(timed(fine)), "is an async def behind a decorator that is not"),
    "hidden async workflow": (
        lambda: workflow(timed(fine)),
        "is an async def behind a decorator that is not",
    ),
    "plain generator": (
        lambda: workflow(generator),
        "generator is a generator: a workflow returns its result",
    ),
    "workflow with resource": (lambda: workflow(takes), "workflow takes takes pool as a resource"),
    "hints": (lambda: step(unresolvable), "'Missing'"),
    "hints of a workflow": (lambda: workflow(unresolvable_too), "'Missing'"),
    "empty name": (lambda: step(name="")(fine), "a step's name has 1 to 200 characters, not 0"),
    "long name": (
        lambda: workflow(name="x" * 201)(fine),
        "a workflow's name has 1 to 200 characters, not 201",
    ),
    "control character": (lambda: step(name="a\0b")(fine), r"the name 'a\x00b' of a step holds a character"),
    "newline": (lambda: workflow(name="a\nb")(fine), "that cannot be printed"),
    "surrogate": (lambda: step(name="a\ud800")(fine), "that cannot be printed"),
    "name of another type": (lambda: step(name=3)(fine), "the name of a step is text, not int"),
    "version": (lambda: workflow(version=2)(fine), "the name of a version is text, not int"),
    "queue": (lambda: step(queue="")(fine), "a queue's name has 1 to 200 characters"),
    "retry": (lambda: step(retry=3)(fine), "retry=3: write retry=Retry(attempts=…)"),
    "negative limit": (lambda: step(timeout=-1)(fine), "timeout=-1: a limit is over 0 seconds"),
    "no limit at all": (lambda: step(total_timeout=0)(fine), "total_timeout=0: a limit is over 0 seconds"),
    "endless limit": (lambda: step(queue_timeout=float("inf"))(fine), "queue_timeout=inf: a limit is over 0"),
    "limit as nan": (lambda: step(timeout=float("nan"))(fine), "timeout=nan: a limit is over 0 seconds"),
    "limit as text": (lambda: step(timeout="3s")(fine), "timeout='3s': give seconds or a timedelta"),
    "limit as bool": (lambda: step(timeout=True)(fine), "timeout=True: give seconds or a timedelta"),
    "async in a thread": (lambda: step(executor="thread")(fine), "executor='thread' is for a def"),
    "def on the loop": (lambda: step(executor="async")(plain), "executor='async' is for an async def"),
    "executor": (lambda: step(executor="fork")(plain), "executor='fork': it is 'async' for an async def"),
    "async in a process": (lambda: step(executor="process")(fine), "executor='process' is for a def"),
    "process in a function": (
        lambda: step(name="x", executor="process")(lambda: 1),
        "made inside of a function",
    ),
    "memory elsewhere": (lambda: step(memory="1GB")(plain), "memory='1GB' is for steps in a process"),
    "memory": (
        lambda: step(executor="process", memory="1 pound")(plain),
        "memory='1 pound': give bytes, or text",
    ),
    "no memory": (lambda: step(executor="process", memory=0)(plain), "memory=0: give bytes"),
    "memory yes": (lambda: step(executor="process", memory=True)(plain), "memory=True: give bytes"),
    "heartbeat": (lambda: step(heartbeat_timeout=0)(fine), "heartbeat_timeout=0: a limit is over 0 seconds"),
    "once and exactly once": (
        lambda: step(at_most_once=True, transactional=True)(fine),
        "transactional=True takes effect exactly once already: leave at_most_once out",
    ),
    "at most once": (lambda: step(at_most_once=1)(fine), "at_most_once=1: give True or False"),
    "run timeout": (lambda: workflow(timeout=0)(fine), "timeout=0: a limit is over 0 seconds"),
    "run retry": (lambda: workflow(retry=3)(fine), "retry=3: write retry=Retry(attempts=…)"),
    "transaction without option": (
        lambda: step(takes_transaction),
        "tx takes a transaction: write @step(transactional=True)",
    ),
    "transactional without it": (
        lambda: step(transactional=True)(fine),
        "declare one parameter that takes the transaction, for instance `tx: asyncpg.Connection = ox.transaction()`",
    ),
    "two transactions": (
        lambda: step(transactional=True)(takes_two),
        "declare one parameter that takes the tran",
    ),
    "transaction by position": (
        lambda: step(transactional=True)(takes_it_first),
        "tx takes a transaction, passed by name: put it after the `/`",
    ),
    "transaction as a pool": (
        lambda: step(transactional=True)(takes_a_pool),
        "tx: Pool is no connection that can be handed over: use asyncpg.Connection",
    ),
    "transaction without a type": (
        lambda: step(transactional=True)(takes_anything),
        "is no connection that can",
    ),
    "transaction of a def": (
        lambda: step(transactional=True)(takes_plain),
        "tx: Connection is for a def, and this is an async def",
    ),
    "transaction of an async def": (
        lambda: step(transactional=True)(takes_async),
        "tx: AsyncSession is for an async def, and this is a def",
    ),
    "transaction in a child process": (
        lambda: step(transactional=True, executor="process")(takes_plainly),
        "transactional=True needs executor='thread': a child process cannot share the transaction",
    ),
    "raises": (lambda: step(raises=(3,))(fine), "raises=(3,): name exception classes, in a tuple"),
    "raises an instance": (lambda: step(raises=ValueError("x"))(fine), "name exception classes"),
    "raises the end": (lambda: step(raises=(KeyboardInterrupt,))(fine), "name exception classes"),
    "resource by position": (lambda: step(takes_by_position), "pool takes a resource, passed by name"),
    "resource of the call": (lambda: use(db.fn()), "pass what @ox.resource decorated, without calling it"),
    "resource that returns": (lambda: resource(fine), "a resource is a generator function: `yield` it once"),
    "resource with a parameter": (lambda: resource(needs), "resource needs takes url, but nobody passes it"),
}


@pytest.mark.parametrize("case", WRONG)
def test_refused_with_one_sentence(case):
    declare, sentence = WRONG[case]
    with pytest.raises(DefinitionError) as refused:
        declare()
    text = str(refused.value)
    assert sentence in text
    assert "\n" not in text
    assert re.search(r"test_definition_errors\.py:\d+", text), text


@pytest.mark.parametrize("option", ["queue", "at_most_once"])
def test_workflow_options_of_later_are_not_taken_silently(option):
    with pytest.raises(TypeError, match=option):
        workflow(**{option: 1})


def test_what_is_allowed():
    assert step(name="x" * 200)(fine).name == "x" * 200
    assert step(name="Zahlung übernehmen ✓")(fine).name == "Zahlung übernehmen ✓"
    assert step(name="add")(lambda: 1).name == "add"
    assert step(raises=[ValueError])(fine).options.raises == (ValueError,)
    assert step(raises=ValueError)(fine).options.raises == (ValueError,)
    assert step(retry=Retry(), executor="async")(fine).options.executor == "async"
    assert step(executor="process", memory="1.5 GiB")(plain).options.memory == 3 * 2**29
    assert step(executor="process", memory="512MB")(plain).options.memory == 512_000_000
    assert step(executor="process", memory=1000)(plain).options.memory == 1000
    assert step(staticmethod(plain).__func__).name == "plain"


def test_a_place_is_told_relative_to_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place(str(tmp_path / "shop" / "flows.py"), 3) == "shop/flows.py:3"
    assert place("/elsewhere/flows.py", 3) == "/elsewhere/flows.py:3"
