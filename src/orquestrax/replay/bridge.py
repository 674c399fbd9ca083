"""What plain `def` code in a workflow calls to await, and how it is called from code that awaits."""

from __future__ import annotations

import asyncio
import functools
from asyncio import _get_running_loop
from collections.abc import Awaitable, Callable, Coroutine
from inspect import isawaitable, iscoroutinefunction
from typing import Any, NoReturn, ParamSpec, TypeVar

from orquestrax.base.errors import ForbiddenInWorkflow, InvalidInput, NotInWorkflow
from orquestrax.replay.loop import Loop
from orquestrax.replay.plain import Plain, drive

P = ParamSpec("P")
T = TypeVar("T")


def await_(awaitable: Awaitable[T], /) -> T:
    """`await` for plain `def` code in a workflow: wait for anything that can be awaited, durably.

        approved = ox.await_(ox.receive("approval", bool))
        parcel, invoice = ox.await_(asyncio.gather(pack(order), render_invoice(order)))
        ox.await_(asyncio.sleep(86400))

    Returns or raises what `await` would. Errors: NotInWorkflow outside of workflows, ForbiddenInWorkflow where
    `await` can be written, InvalidInput for what cannot be awaited.
    """
    if not isawaitable(awaitable):
        raise InvalidInput(
            f"await_({awaitable!r}): {type(awaitable).__name__} cannot be awaited; it takes a call of a step "
            "like `charge(order)`, without `.call`, or anything else that can"
        )
    plain = running_plain()
    if plain is None:
        _refuse_await(awaitable)
    value: T = plain.wait(awaitable)
    return value


def to_greenlet(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
    """Call a plain `def` that uses `step.call` or `ox.await_` from where it cannot wait by itself.

    The coroutine runs the function with these arguments and returns its result. That is how an `async def`
    workflow calls such a helper, and how a plain one calls several at a time, or within a time limit:

        ox.await_(asyncio.gather(*(ox.to_greenlet(ship, parcel) for parcel in parcels)))
        ox.await_(asyncio.wait_for(ox.to_greenlet(ship, parcel), 3600))

    Errors: NotInWorkflow outside of workflows, InvalidInput for what is awaited as it is.
    """
    name = getattr(function, "__name__", type(function).__name__)
    if iscoroutinefunction(function) or isawaitable(function):
        raise InvalidInput(f"to_greenlet({name}, …) is for a plain `def`: await `{name}(…)` itself")
    loop = _get_running_loop()
    if not isinstance(loop, Loop):
        raise NotInWorkflow("to_greenlet() works only in the code of a workflow, and none is running here")
    coroutine = drive(Plain(loop, functools.partial(function, *args, **kwargs)))
    named: Any = coroutine  # what tasks and warnings call it
    named.__name__, named.__qualname__ = name, getattr(function, "__qualname__", name)
    return coroutine


def running_plain() -> Plain | None:
    """The plain code that is calling this; None if what is running awaits, or is no workflow.

    What an eviction lets go of may clean up after its greenlet: that ends at once, as a generator's end.
    """
    loop = _get_running_loop()
    if not isinstance(loop, Loop):
        return None
    if loop.plain is not None and loop.plain.is_here():
        return loop.plain
    if loop.closed:
        raise GeneratorExit
    return None


def _refuse_await(awaitable: Any) -> NoReturn:
    if asyncio.iscoroutine(awaitable):
        awaitable.close()  # a warning that it was not awaited would say no more
    if isinstance(_get_running_loop(), Loop):
        raise ForbiddenInWorkflow(
            "await_() is for plain `def` code: in an `async def` write `await`, "
            "and call a plain def that uses it as `await ox.to_greenlet(function, …)`"
        )
    raise NotInWorkflow("await_() works only in the code of a workflow, and none is running here")
