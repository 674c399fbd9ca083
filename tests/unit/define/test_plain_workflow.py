"""Workflows written as a plain `def`: steps by `step.call`, everything else by `await_`."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

import orquestrax as ox
from orquestrax import PayloadError, Workflow, step, workflow
from orquestrax.define.workflow import AsyncWorkflow, PlainWorkflow


@dataclass
class Order:
    id: str
    amount: float


class PaymentDeclined(Exception): ...


@step(raises=(PaymentDeclined,))
async def charge(order: Order) -> str:
    if order.amount < 0:
        raise PaymentDeclined(order.id)
    return f"receipt {order.id}"


@step
def pack(order: Order, *, express: bool = False) -> str:
    return f"parcel {order.id}" + (" express" if express else "")


@workflow
def fulfil(order: Order, express: bool = False) -> str:
    """Charge, then pack."""
    receipt = charge.call(order)
    return f"{receipt}, {pack.call(order, express=express)}"


@workflow(name="async fulfil")
async def async_fulfil(order: Order, express: bool = False) -> str:
    receipt = await charge(order)
    return f"{receipt}, {await pack(order, express=express)}"


def line_of(function, offset):
    return function.fn.__code__.co_firstlineno + offset


def test_what_a_plain_workflow_is():
    assert (type(fulfil), type(async_fulfil)) == (PlainWorkflow, AsyncWorkflow)
    assert isinstance(fulfil, Workflow)
    assert (fulfil.name, fulfil.doc) == ("fulfil", "Charge, then pack.")
    assert fulfil.source.startswith("@workflow\ndef fulfil(")
    assert type(workflow(name="x", version="2")(lambda: None)) is PlainWorkflow


def test_steps_are_asked_for_one_after_the_other(begin):
    instance = begin(fulfil, Order("42", 9.5), True)
    (command,) = instance.asked()
    assert (command.name, command.arguments) == ("charge", b'[{"id":"42","amount":9.5}]')
    assert (command.file, command.line) == (__file__, line_of(fulfil, 3))
    assert instance.replay.waits_at() == (__file__, line_of(fulfil, 3))
    instance.answer(command, result=b'"r"')
    (command,) = instance.asked()
    assert (command.name, command.arguments) == ("pack", b'[{"id":"42","amount":9.5},true]')
    instance.answer(command, result=b'"p"')
    assert instance.ended == ("completed", "r, p")


def test_the_commands_are_those_of_the_async_def(begin):
    asked = []
    for each in (fulfil, async_fulfil):
        instance = begin(each, Order("42", 9.5))
        for result in (b'"r"', b'"p"'):
            (command,) = instance.asked()
            asked.append((command.number, command.name, command.arguments, command.asked_at))
            instance.answer(command, result=result)
        asked.append((instance.replay.issued, instance.replay.trail, instance.ended))
    assert asked[:3] == asked[3:]


def test_declared_errors_are_raised_at_the_call(begin):
    @workflow
    def careful(order: Order) -> str:
        try:
            return charge.options(timeout=5).call(order)
        except PaymentDeclined as declined:
            return f"declined {declined}"

    instance = begin(careful, Order("42", 9.5))
    (command,) = instance.asked()
    assert command.step.options.timeout == 5.0
    error = b'{"type":"PaymentDeclined","message":"42","traceback":"","args":["42"],"bases":["Exception"],"module":""}'
    instance.answer(command, error=error)
    assert instance.ended == ("completed", "declined 42")


def test_arguments_that_do_not_fit_are_refused_at_the_call(begin):
    @workflow
    def wrong() -> str:
        with pytest.raises(PayloadError, match="step 'pack'"):
            pack.call("no order")
        return "nothing was asked for"

    instance = begin(wrong)
    assert instance.ended == ("completed", "nothing was asked for")
    assert instance.replay.issued == 1  # the end


def test_several_at_a_time(begin):
    @workflow
    def both(order: Order) -> list[str]:
        return list(ox.await_(asyncio.gather(charge(order), pack(order))))

    instance = begin(both, Order("42", 9.5))
    for command, result in zip(instance.asked(), (b'"r"', b'"p"'), strict=True):
        instance.answer(command, result=result)
    assert instance.ended == ("completed", ["r", "p"])


def test_the_blocking_face_itself_in_a_greenlet(begin):
    @workflow
    def both(order: Order) -> list[str]:
        return ox.await_(asyncio.gather(ox.to_greenlet(charge.call, order), ox.to_greenlet(pack.call, order)))

    instance = begin(both, Order("42", 9.5))
    commands = instance.asked()
    assert [(command.file, command.line) for command in commands] == [
        (charge.file, charge.line),
        (pack.file, pack.line),
    ]
    for command in commands:
        instance.answer(command, result=b'"x"')
    assert instance.ended == ("completed", ["x", "x"])


def test_what_was_not_awaited_is_no_result(begin):
    @workflow
    def forgotten(order: Order) -> str:
        call = charge(order)
        call.close()  # else there is a warning as well
        return call

    status, error = begin(forgotten, Order("42", 9.5)).ended
    assert (status, error["type"]) == ("failed", "PayloadError")
    assert error["message"].endswith(
        "an object of type `Call` cannot be stored; it was not awaited: write `await`, or `.call(…)` in a plain def"
    )


def test_the_traceback_of_a_failure_begins_with_the_workflow(begin):
    @workflow
    def failing() -> None:
        raise ValueError("no")

    _, error = begin(failing).ended
    lines = error["traceback"].splitlines()
    assert lines[1].startswith(f'  File "{__file__}", line {line_of(failing, 2)}, in failing')


def test_step_call_in_async_code_is_refused(begin):
    async def helper(order: Order) -> str:
        return charge.call(order)

    @workflow
    def outer(order: Order) -> str:
        return ox.await_(helper(order))

    @workflow
    async def wrong(order: Order) -> str:
        return charge.call(order)

    for each in (outer, wrong):
        status, error = begin(each, Order("42", 9.5)).ended
        assert (status, error["type"]) == ("failed", "ForbiddenInWorkflow")
        assert error["message"] == (
            "charge.call(…) blocks: in an `async def` workflow write `await charge(…)`, and call a plain def "
            "that uses it as `await ox.to_greenlet(function, …)`"
        )


@pytest.mark.parametrize(
    "call", [lambda order: charge.call(order), lambda order: asyncio.run(_awaited(order))]
)
def test_steps_are_refused_in_a_thread_that_a_workflow_has_started(begin, call):
    said = []

    def elsewhere(order: Order) -> None:
        try:
            call(order)
        except ox.ForbiddenInWorkflow as error:
            said.append(str(error))

    @workflow
    def threading_(order: Order) -> None:
        thread = threading.Thread(target=elsewhere, args=(order,))  # ox: allow
        thread.start()  # ox: allow
        thread.join()

    assert begin(threading_, Order("42", 9.5)).ended == ("completed", None)
    (sentence,) = said
    assert sentence.startswith(
        "step charge was called in a thread that the code of workflow 'instance-1' has started"
    )


async def _awaited(order: Order) -> str:
    return await charge(order)


def test_steps_run_in_a_thread_of_somebody_else():
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(charge.call, Order("42", 9.5)).result() == "receipt 42"


def test_the_bare_function_runs_in_unit_tests():
    assert fulfil.fn(Order("42", 9.5), express=True) == "receipt 42, parcel 42 express"
    with pytest.raises(PaymentDeclined):
        fulfil.fn(Order("42", -1.0))


def test_input_that_does_not_fit_is_refused_before_anything_runs():
    with pytest.raises(PayloadError, match="workflow 'fulfil'"):
        fulfil.main(b"[1]")
