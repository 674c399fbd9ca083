"""Pausing and resuming an instance that is in this node's memory. What is held back: see `pause`."""

from __future__ import annotations

from orquestrax.core.endings import reason_of
from orquestrax.core.execution import Execution
from orquestrax.core.pause import Pause
from orquestrax.model import events
from orquestrax.model.rows import Message, RowChange


def pause(execution: Execution, order: Message, now: int) -> None:
    """From here on nothing of it starts; a second order changes nothing."""
    if execution.paused:
        return
    execution.happened(events.PAUSED, steered(order), now)
    execution.pause = Pause()


def resume(execution: Execution, order: Message, now: int) -> list[Message]:
    """It goes on; returns the messages that came meanwhile and are to be read now."""
    if not execution.paused:
        return []
    execution.happened(events.RESUMED, steered(order), now)
    return lift(execution, now)


def lift(execution: Execution, now: int) -> list[Message]:
    """The pause is over: its code hears of what has ended meanwhile. Returns the messages that are to be read now."""
    held, execution.pause = execution.pause, None
    if held is None:
        return []
    for ended in held.kept.values():
        if ended.command in execution.replay.open and not execution.replay.finished:
            conclude(execution, ended, now)
    return held.deferred


def conclude(execution: Execution, ended: events.StepEnded, now: int) -> None:
    """The final outcome of a step: told to the code, or kept for after the pause."""
    held = execution.pause
    if held is not None and held.active:
        held.kept[ended.command] = ended
        execution.happened(events.STEP_KEPT, ended, now)
    else:
        execution.retries.pop(ended.command, None)
        type_ = events.STEP_COMPLETED if ended.error is None else events.STEP_FAILED
        execution.happened(type_, ended, now)


def steered(order: Message) -> events.Steered:
    """Who said so, and why."""
    return events.Steered(order.number, order.message, order.name, reason_of(order))


def standstill(execution: Execution, *, busy: bool, due: int | None) -> RowChange | None:
    """The row of an instance of which nothing starts here: kept while bodies run, then parked until `due`."""
    status = "paused" if execution.paused else "waiting" if execution.status == "waiting" else "running"
    if not busy:
        return RowChange(status=status, waits=execution.waiting_for(), release=True, wake_at=due)
    if status == execution.status:
        return None
    return RowChange(status=status, waits=execution.waiting_for())


def holds(before: str, after: str) -> bool | None:
    """Whether this change of status stops its steps in the cluster's queues, or lets them go; None for neither."""
    return after == "paused" if "paused" in (before, after) else None
