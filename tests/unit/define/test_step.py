"""The four faces of a step, and its options."""

from __future__ import annotations

import asyncio
import functools
import inspect
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import timedelta

import pytest

from orquestrax import BlockingCall, DefinitionError, Retry, StepFailed, step, workflow
from orquestrax.base import failures
from orquestrax.define.step import AsyncStep, PlainStep
from orquestrax.model.options import StepOptions


@dataclass
class Order:
    id: str


class Declined(Exception):
    pass


@step(retry=Retry(attempts=5, never=(Declined,)), timeout=30, raises=(Declined,))
async def charge(order: Order) -> str:
    """Take the money."""
    if order.id == "no":
        raise Declined(order.id)
    return f"{order.id} on {threading.current_thread().name}"


@step(queue="warehouse", name="packing")
def pack(order: Order, copies: int = 1) -> str:
    return f"{order.id * copies} on {threading.current_thread().name}"


ME = threading.current_thread().name


def test_what_a_step_is():
    assert (charge.name, pack.name) == ("charge", "packing")
    assert (charge.is_async, pack.is_async) == (True, False)
    assert (type(charge), type(pack)) == (AsyncStep, PlainStep)
    assert charge.file == __file__
    assert inspect.getsource(charge.fn).splitlines()[0] == inspect.getsourcelines(charge.fn)[0][0].rstrip()
    assert inspect.getsourcelines(charge.fn)[1] == charge.line
    assert (charge.__doc__, charge.__module__) == ("Take the money.", __name__)
    assert str(inspect.signature(pack)) == "(order: 'Order', copies: 'int' = 1) -> 'str'"


def test_a_decorated_function_is_placed_where_it_is_written():
    class Wrapped:
        """No function, so nothing to be told of it."""

    def around(inner):
        @functools.wraps(inner)
        async def wrapper(*args, **kwargs):
            return await charge.fn(*args, **kwargs)

        return wrapper

    other = step(name="other")(around(charge.fn))
    assert (other.line, other.positional) == (charge.line, ("order",))
    assert step(name="odd")(around(Wrapped)).file == __file__


def test_a_nested_step_has_its_qualified_name():
    @step
    def inner() -> None: ...

    assert inner.name == "test_a_nested_step_has_its_qualified_name.<locals>.inner"


async def test_awaited_an_async_def_runs_here_and_a_def_in_a_thread():
    assert await charge(Order("a")) == f"a on {ME}"
    text = await pack(Order("b"), copies=2)
    assert text.startswith("bb on ")
    assert text != f"bb on {ME}"


async def test_awaited_outside_of_a_workflow_it_runs_once_whatever_its_retries():
    runs = []

    @step(retry=Retry(attempts=3, initial=0), timeout=0.001)
    async def flaky() -> None:
        runs.append(1)
        await asyncio.sleep(0.005)
        raise ValueError("flaky")

    with pytest.raises(ValueError, match="flaky"):
        await flaky()
    assert runs == [1]


async def test_outside_of_a_workflow_values_are_handed_over_as_they_are():
    @step
    async def same(value: list[int]) -> list[int]:
        return value

    value = [1]
    assert await same(value) is value


def test_call_blocks():
    assert charge.call(Order("a")) == "a on orquestrax-steps"
    assert pack.call(Order("b"), 3) == f"bbb on {ME}"
    with pytest.raises(Declined):
        charge.call(Order("no"))


def test_call_works_from_several_threads_at_once():
    meet = asyncio.Barrier(3)  # only passed if all three run at the same time, on one loop

    @step
    async def together(number: int) -> int:
        await asyncio.wait_for(meet.wait(), 10)
        return number

    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(together.call(n))) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(results) == [0, 1, 2]


@pytest.mark.parametrize("face", [charge, pack], ids=["async", "plain"])
async def test_call_refuses_to_stop_a_running_loop(face):
    with pytest.raises(BlockingCall, match=r"write `await (charge|packing)\(…\)` instead"):
        face.call(Order("a"))


def test_call_refuses_in_a_workflow(begin):
    @workflow
    async def blocking() -> str:
        return charge.call(Order("a"))

    status, error = begin(blocking).ended
    assert (status, error["type"]) == ("failed", "ForbiddenInWorkflow")
    assert "write `await charge(…)`" in error["message"]


def test_call_within_a_step_runs_on_the_loop_that_its_resources_live_on():
    @step
    def outer(order: Order) -> str:
        return charge.call(order)

    assert asyncio.run(outer(Order("a"))) == "a on orquestrax-steps"


INTERRUPTED = """
import asyncio, os, signal
from orquestrax import step

@step
async def wait() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        ended.set()
        raise

import threading
ended = threading.Event()
try:
    wait.call()
except KeyboardInterrupt:
    print("interrupted" if ended.wait(30) else "still running")
"""

FORKED = """
import os
from orquestrax import step

@step
async def pid() -> int:
    return os.getpid()

assert pid.call() == os.getpid()
child = os.fork()
assert pid.call() == os.getpid()
if child:
    print(os.waitpid(child, 0)[1])
"""


@pytest.mark.parametrize(("program", "output"), [(INTERRUPTED, "cancelled interrupted"), (FORKED, "0")])
def test_call_ends_with_ctrl_c_and_survives_a_fork(program, output):
    command = [sys.executable, "-W", "ignore", "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.split() == output.split()


async def test_fn_is_the_function():
    assert await charge.fn(Order("a")) == f"a on {ME}"
    assert pack.fn(Order("b")) == f"b on {ME}"


def test_options_give_the_same_step_with_other_options():
    slow = charge.options(timeout=timedelta(minutes=1), queue="slow", retry=None)
    assert (slow.name, slow.fn, slow.signature) == (charge.name, charge.fn, charge.signature)
    assert type(slow) is AsyncStep
    assert (slow.options.timeout, slow.options.queue, slow.options.retry) == (60.0, "slow", Retry(attempts=1))
    assert slow.options.raises == (Declined,)
    assert (charge.options.timeout, charge.options.queue, charge.options.retry.attempts) == (
        30.0,
        "default",
        5,
    )
    assert slow.options(timeout=None).options.queue == "slow"
    assert slow.options(timeout=None).options.timeout is None
    assert isinstance(slow.options, StepOptions)


def test_options_reach_the_command(begin):
    @workflow
    async def one() -> str:
        return await pack.options(timeout=7)(Order("a"))

    [asked] = begin(one).asked()
    assert (asked.name, asked.step.options.timeout, asked.step.options.queue) == ("packing", 7.0, "warehouse")


def test_wrong_options_are_refused():
    with pytest.raises(DefinitionError, match="a step has no option tiemout; it has queue, retry"):
        charge.options(tiemout=3)
    with pytest.raises(DefinitionError, match="timeout=-1: a limit is over 0 seconds"):
        charge.options(timeout=-1)


def test_results_are_decoded_and_errors_rebuilt():
    assert pack.decode_result(b'"x"') == "x"
    with pytest.raises(Declined, match="no"):
        raise charge.rebuild_error(failures.encode(Declined("no"), step="charge"))
    with pytest.raises(StepFailed, match="KeyError: 'k'"):
        raise charge.rebuild_error(failures.encode(KeyError("k"), step="charge"))
