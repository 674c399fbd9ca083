"""Transactional steps: a parameter that takes the transaction in which the step's result is committed.

    @ox.step(transactional=True)
    async def book(order: Order, tx: asyncpg.Connection = ox.transaction()) -> int:
        return await tx.fetchval("insert into bookings (item) values ($1) returning id", order.item)

The type says which library the body wants; none of them is imported here.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final, Literal

from orquestrax.base.errors import DefinitionError
from orquestrax.define.checks import place, where_of
from orquestrax.define.given import Given
from orquestrax.define.parameters import resolve, signature_of

Driver = Literal["asyncpg", "psycopg async", "psycopg", "sqlalchemy async", "sqlalchemy"]


@dataclass(frozen=True, slots=True)
class _Kind:
    driver: Driver
    is_async: bool
    needs: str = ""


_ALCHEMY_ASYNC: Final = _Kind("sqlalchemy async", is_async=True, needs="greenlet")
_ALCHEMY: Final = _Kind("sqlalchemy", is_async=False, needs="psycopg")
_KINDS: Final[dict[tuple[str, str], _Kind]] = {
    ("asyncpg", "Connection"): _Kind("asyncpg", is_async=True),
    ("psycopg", "AsyncConnection"): _Kind("psycopg async", is_async=True),
    ("psycopg", "Connection"): _Kind("psycopg", is_async=False),
    ("sqlalchemy", "AsyncSession"): _ALCHEMY_ASYNC,
    ("sqlalchemy", "AsyncConnection"): _ALCHEMY_ASYNC,
    ("sqlalchemy", "Session"): _ALCHEMY,
    ("sqlalchemy", "Connection"): _ALCHEMY,
}


class Transaction(Given):
    """The default of a parameter that takes the transaction of its step."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ox.transaction()"


@dataclass(frozen=True, slots=True)
class Taken:
    """Which parameter of a step takes its transaction, as what, and through which library."""

    parameter: str
    cls: Any
    driver: Driver


def transaction() -> Any:
    """The default of the parameter that takes the transaction: `tx: asyncpg.Connection = ox.transaction()`.

    Its type is asyncpg.Connection, psycopg.AsyncConnection or SQLAlchemy's AsyncSession or AsyncConnection in an
    `async def`, psycopg.Connection or SQLAlchemy's Session or Connection in a `def`.
    """
    return Transaction()


def transaction_of(fn: Callable[..., Any], *, transactional: bool, is_async: bool) -> Taken | None:
    """What the function takes its transaction as. DefinitionError where that does not fit its options."""
    at = place(*where_of(fn))
    signature = signature_of(fn, where=at)
    takers = [p for p in signature.parameters.values() if isinstance(p.default, Transaction)]
    if not transactional:
        if takers:
            raise DefinitionError(
                f"{at}: {takers[0].name} takes a transaction: write @step(transactional=True)"
            )
        return None
    if len(takers) != 1:
        raise DefinitionError(
            f"{at}: transactional=True: declare one parameter that takes the transaction, for instance "
            "`tx: asyncpg.Connection = ox.transaction()`"
        )
    taker = takers[0]
    if taker.kind is inspect.Parameter.POSITIONAL_ONLY:
        raise DefinitionError(f"{at}: {taker.name} takes a transaction, passed by name: put it after the `/`")
    cls = resolve(fn, taker.annotation, of=f"argument {taker.name!r}", where=at)
    return Taken(taker.name, typing.get_origin(cls) or cls, _driver(cls, taker.name, is_async, at))


def _driver(cls: Any, parameter: str, is_async: bool, at: str) -> Driver:
    bases = getattr(typing.get_origin(cls) or cls, "__mro__", ())
    names = [(base.__module__.partition(".")[0], base.__name__) for base in bases]
    kind = next((_KINDS[name] for name in names if name in _KINDS), None)
    if kind is None:
        raise DefinitionError(
            f"{at}: {parameter}: {getattr(cls, '__name__', cls)} is no connection that can be handed over: use "
            "asyncpg.Connection, psycopg.AsyncConnection, psycopg.Connection, or SQLAlchemy's AsyncSession, "
            "AsyncConnection, Session or Connection"
        )
    if kind.is_async != is_async:
        wanted, other = ("an async def", "a def") if kind.is_async else ("a def", "an async def")
        raise DefinitionError(f"{at}: {parameter}: {cls.__name__} is for {wanted}, and this is {other}")
    if kind.needs and find_spec(kind.needs) is None:
        raise DefinitionError(
            f"{at}: {parameter}: {cls.__name__} needs {kind.needs}: `pip install {kind.needs}`"
        )
    return kind.driver
