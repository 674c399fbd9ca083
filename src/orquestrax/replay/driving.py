"""What each event that drives code does: it resolves a command, brings a message or cancels. Then code runs.

The comparison with the history comes first, so an event that does not fit changes nothing. `value` is the decoded
result of a step that has just ended here; UNSET where only the history has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from orquestrax.model import events
from orquestrax.model.events import Event
from orquestrax.replay import mismatch
from orquestrax.replay.loop import Loop


def _settle(loop: Loop, event: Event, data: Any, kind: str, name: str) -> tuple[Any, Any]:
    """The command that this event resolves, and what to wake; the time moves."""
    machine = loop.machine
    number = data.command
    command = machine.open.get(number)
    if (
        event.issued != machine.issued
        or event.trail != machine.trail
        or command is None
        or command.kind != kind
        or command.name != name
    ):
        raise mismatch.compare(event, data, machine, loop.waits_at())
    machine.before = machine.issued
    loop.now = event.at
    return machine.settle(number)


def _step_completed(loop: Loop, event: Event, data: events.StepEnded, value: Any) -> None:
    command, future = _settle(loop, event, data, "step", data.step)
    try:
        if value is msgspec.UNSET:
            value = command.step.decode_result(_bytes(data.result))
    except Exception as error:  # noqa: BLE001 - its type has changed since: the code may handle that
        future.set_exception(error)
    else:
        future.set_result(value)
    loop.run()


def _step_failed(loop: Loop, event: Event, data: events.StepEnded, _value: Any) -> None:
    command, future = _settle(loop, event, data, "step", data.step)
    try:
        error = command.step.rebuild_error(_bytes(data.error))
    except Exception as failure:  # noqa: BLE001 - its class has changed since
        error = failure
    if isinstance(error, StopIteration):  # a future cannot carry it; Python 3.12 would say the same
        error = RuntimeError(f"step {data.step!r} raised StopIteration")
    future.set_exception(error)
    loop.run()


def _timer_fired(loop: Loop, event: Event, data: events.TimerFired, _value: Any) -> None:
    _, handle = _settle(loop, event, data, "timer", "")
    loop.ready.append(handle)
    loop.run()


def _signal(loop: Loop, event: Event, data: events.MessageReceived, _value: Any) -> None:
    _deliver(loop, event, data)
    machine = loop.machine
    receiver = machine.mailbox.put(data)
    if receiver is not None:
        _, future = machine.settle(receiver)
        future.set_result(data)
    loop.run()


def _cancel(loop: Loop, event: Event, data: events.MessageReceived, _value: Any) -> None:
    _deliver(loop, event, data)
    if loop.main is not None:
        loop.main.cancel()
    else:  # between two attempts
        loop.owner.cancelled_between()
    loop.run()


def _deliver(loop: Loop, event: Event, data: events.MessageReceived) -> None:
    mismatch.check(event, data, loop.machine, loop.waits_at)
    loop.machine.before = loop.machine.issued
    loop.now = event.at


def _bytes(payload: Any) -> bytes:
    return b"null" if payload is None else bytes(payload)


DRIVERS: Final[dict[str, Callable[[Loop, Event, Any, Any], None]]] = {
    events.STEP_COMPLETED: _step_completed,
    events.STEP_FAILED: _step_failed,
    events.TIMER_FIRED: _timer_fired,
    events.SIGNAL: _signal,
    events.CANCEL: _cancel,
}
