"""The end of a transactional step, written once for coroutines and for threads: the result, then COMMIT."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from functools import partial
from typing import Any, Final, TypeVar

from orquestrax.base import faultpoint
from orquestrax.core.store.conclusion import Asked, Conclusion, Rows, Steps
from orquestrax.core.store.fence import RolledBack
from orquestrax.worker.transactions.sessions import AsyncSession, Session
from orquestrax.worker.transactions.ticket import Ticket

T = TypeVar("T")
UNKNOWN: Final = object()  # COMMIT was sent, and nothing came back


def concluding(
    ticket: Ticket, session: AsyncSession | Session, conclusion: Conclusion, payload: str
) -> Generator[Any, Any, object]:
    """The steps to the end of COMMIT; UNKNOWN if nobody answered that.

    Yields what the session's methods return, and is sent what came of it. Errors: CancelledError if nobody waits for
    the attempt any more, RolledBack.
    """
    if not ticket.commits():
        raise asyncio.CancelledError
    steps = conclusion.conclude(payload)
    asked: Asked | None = next(steps)
    while asked is not None:
        asked = _next(steps, (yield session.run(asked)))
    faultpoint.reach("transaction.before_commit")
    try:
        tag = yield session.commit()
    except Exception as error:
        if session.refused(error):
            raise
        return UNKNOWN
    _check(tag)
    return None


async def awaiting(work: Generator[Any, Any, T]) -> T:
    """Drive it with a session whose methods are coroutines."""
    step = partial(next, work)
    while True:
        try:
            given = step()
        except StopIteration as end:
            value: T = end.value
            return value
        try:
            step = partial(work.send, await given)
        except Exception as error:  # noqa: BLE001 - `work` knows what it means
            step = partial(work.throw, error)


def calling(work: Generator[Any, Any, T]) -> T:
    """Drive it with a session whose methods do it at once."""
    given: Any = None
    while True:
        try:
            given = work.send(given)
        except StopIteration as end:
            value: T = end.value
            return value


def _next(steps: Steps, rows: Rows) -> Asked | None:
    try:
        return steps.send(rows)
    except StopIteration:
        return None


def _check(tag: str) -> None:
    if tag != "COMMIT":
        raise RolledBack(f"COMMIT was answered with {tag}")
    faultpoint.reach("transaction.after_commit")
