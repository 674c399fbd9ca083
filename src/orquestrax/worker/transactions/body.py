"""One attempt of a transactional step: open, call the body, conclude, commit.

As in `bodies`, exceptions come back as values. From the moment that the commit begins nothing cancels it: who no
longer waits for the attempt has missed it, and who still does gets what the database says.
"""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from orquestrax.base.errors import DatabaseUnreachable
from orquestrax.base.logs import origin
from orquestrax.core.store.conclusion import Conclusion
from orquestrax.define.resources import Resources
from orquestrax.model.jobs import Delivered
from orquestrax.worker.attempt import Attempt
from orquestrax.worker.threads import Call, ThreadPool
from orquestrax.worker.transactions.concluding import UNKNOWN, awaiting, calling, concluding
from orquestrax.worker.transactions.service import Transactions
from orquestrax.worker.transactions.sessions import AsyncSession, Session
from orquestrax.worker.transactions.ticket import Ticket

T = TypeVar("T")


async def run_transactional(
    attempt: Attempt, resources: Resources, transactions: Transactions, pool: ThreadPool
) -> Delivered | BaseException:
    """Run the body in a transaction of its own; what went wrong, if it was not committed."""
    origin.set(attempt)
    attempt.ticket = Ticket()
    step = attempt.job.step
    try:
        args, kwargs = step.signature.decode(attempt.job.arguments)
        kwargs = await resources.bind(step, kwargs)
        async with transactions.room:
            run = _coroutine if step.is_async else _thread
            await run(attempt, transactions, pool, args, kwargs)
    except BaseException as exc:  # noqa: BLE001 - see the head of `bodies`
        return exc
    return Delivered(attempt.started_at, transactions.now())


async def _coroutine(
    attempt: Attempt,
    transactions: Transactions,
    _pool: ThreadPool,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    step, conclusion = attempt.job.step, transactions.conclusion(attempt)
    session: AsyncSession = transactions.session(attempt)
    try:
        kwargs[step.transaction.parameter] = await session.open(conclusion.guard())
        result = step.signature.result.encode(await step.fn(*args, **kwargs))
        await session.prepare()
        payload = transactions.payload(attempt, result)
        outcome = await _to_its_end(_conclude(attempt, session, conclusion, payload, transactions.deadline))
        if outcome is UNKNOWN:
            await _to_its_end(_look(transactions, conclusion))
    finally:
        await _to_its_end(session.close())


async def _conclude(
    attempt: Attempt, session: AsyncSession, conclusion: Conclusion, payload: str, deadline: float
) -> object:
    """The engine's part, within a deadline that cuts the connection."""
    assert attempt.ticket is not None
    cut = asyncio.get_running_loop().call_later(deadline, session.cut)
    try:
        return await awaiting(concluding(attempt.ticket, session, conclusion, payload))
    finally:
        cut.cancel()


async def _thread(
    attempt: Attempt,
    transactions: Transactions,
    pool: ThreadPool,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    conclusion = transactions.conclusion(attempt)
    session: Session = transactions.session(attempt)
    work = partial(_work, attempt, transactions, session, conclusion, args, kwargs)
    attempt.call = call = Call(work, name=attempt.name, context=copy_context())
    pool.submit(call)
    assert attempt.ticket is not None
    try:
        outcome = await asyncio.shield(call.result)
    except asyncio.CancelledError:
        if attempt.ticket.revoke():
            call.result.cancel()
            session.cut()  # whatever the thread is doing: what it did is rolled back
            raise
        outcome = await _to_its_end(_value(call.result))
    if outcome is UNKNOWN:
        await _to_its_end(_look(transactions, conclusion))
    elif isinstance(outcome, BaseException):
        raise outcome


def _work(
    attempt: Attempt,
    transactions: Transactions,
    session: Session,
    conclusion: Conclusion,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> object:
    """All of it, in a thread."""
    step = attempt.job.step
    try:
        kwargs[step.transaction.parameter] = session.open(conclusion.guard())
        result = step.signature.result.encode(step.fn(*args, **kwargs))
        session.prepare()
        payload = transactions.payload(attempt, result)
        return _conclude_here(attempt, session, conclusion, payload, transactions.deadline)
    finally:
        session.close()


def _conclude_here(
    attempt: Attempt, session: Session, conclusion: Conclusion, payload: str, deadline: float
) -> object:
    """The same, in a thread."""
    assert attempt.ticket is not None
    cut = threading.Timer(deadline, session.cut)
    cut.daemon = True
    cut.start()
    try:
        return calling(concluding(attempt.ticket, session, conclusion, payload))
    finally:
        cut.cancel()


async def _look(transactions: Transactions, conclusion: Conclusion) -> None:
    """The connection was lost at COMMIT. Returns if it was committed all the same."""
    if not await transactions.looker.committed(conclusion):
        raise DatabaseUnreachable("the connection was lost at COMMIT, and the transaction was rolled back")


async def _value(future: asyncio.Future[T]) -> T:
    return await future


async def _to_its_end(work: Any) -> Any:
    """Await it, however often this task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            continue
    return task.result()
