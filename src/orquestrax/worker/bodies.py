"""What runs in an attempt's task: decode the arguments, bind resources, call, encode the result.

Exceptions come back as values. A task that raises SystemExit or KeyboardInterrupt stops the event loop, and
with it the node; a future refuses StopIteration.
"""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import Any

from orquestrax.base.logs import origin
from orquestrax.define.resources import Resources
from orquestrax.model.jobs import Result
from orquestrax.worker.attempt import Attempt
from orquestrax.worker.threads import Call, ThreadPool


async def run_coroutine(attempt: Attempt, resources: Resources) -> Result | BaseException:
    """Run the body of an `async def` step here; the result, or what went wrong."""
    origin.set(attempt)
    step = attempt.job.step
    try:
        args, kwargs = attempt.job.decoded or step.signature.decode(attempt.job.arguments)
        if step.uses:
            kwargs = await resources.bind(step, kwargs)
        result: Result = step.signature.result.roundtrip(await step.fn(*args, **kwargs))
    except BaseException as exc:  # noqa: BLE001 - see the head of this file
        return exc
    return result


async def run_in_thread(attempt: Attempt, resources: Resources, pool: ThreadPool) -> Result | BaseException:
    """Run the body of a plain step in a thread; when this task is cancelled, the thread is left behind."""
    origin.set(attempt)
    step = attempt.job.step
    try:
        args, kwargs = attempt.job.decoded or step.signature.decode(attempt.job.arguments)
        kwargs = await resources.bind(step, kwargs)
        call = Call(partial(_call, step, args, kwargs), name=attempt.name, context=copy_context())
        pool.submit(call)
        attempt.call = call
        outcome: Result | BaseException = await call.result
    except BaseException as exc:  # noqa: BLE001 - see the head of this file
        return exc
    return outcome


def _call(step: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # Encoding belongs to the thread as well: a large result would hold up the loop.
    return step.signature.result.roundtrip(step.fn(*args, **kwargs))
