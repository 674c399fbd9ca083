"""An instance comes into memory from its history: its code is replayed, and what else a successor needs is kept."""

from __future__ import annotations

from typing import Final

from orquestrax.core.execution import Execution
from orquestrax.core.pause import after
from orquestrax.core.retries import RetryAt
from orquestrax.model import events
from orquestrax.model.events import Event

_REMEMBERED: Final = events.RECEIVED | frozenset(
    {
        events.STEP_KEPT,
        events.STEP_STARTED,
        events.STEP_RETRYING,
        events.ATTEMPT_FAILED,
        events.ATTEMPT_STARTED,
        events.TIMED_OUT,
    }
)


def restore(execution: Execution, history: list[Event], *, first_run: bool = False) -> None:
    """Replay stored events from the start. Raises NonDeterminism where the code does not fit them.

    first_run  the code has never run, so it is not silent
    """
    replay = execution.replay
    replay.replaying = not first_run
    for event in _begin(execution, history):
        replay.apply(event)
        execution.seq, execution.last_at = event.seq, event.at
        _remember(execution, event)
    replay.replaying = False
    retries = execution.retries.items()
    execution.retries = {number: retry for number, retry in retries if number in replay.open}
    if execution.pause is not None:
        execution.pause.forget_closed(replay.open)
    execution.finish = replay.take().finish


def _begin(execution: Execution, history: list[Event]) -> list[Event]:
    """Begin the replay at the newest attempt, and return the events behind."""
    newest = next((n for n in range(len(history), 0, -1) if history[n - 1].type == events.ATTEMPT_FAILED), 0)
    if not newest:
        execution.replay.start()
        return history
    before, failed = history[: newest - 1], history[newest - 1]
    execution.replay.resume_at(failed, before)
    execution.seq, execution.last_at = failed.seq, failed.at
    for event in (*before, failed):
        _remember(execution, event)
    return history[newest:]


def _remember(execution: Execution, event: Event) -> None:
    """What a successor needs of an event beside its effect on the code."""
    if event.type not in _REMEMBERED:
        return
    execution.pause = after(execution.pause, event)
    if event.type in events.RECEIVED:
        received: events.MessageReceived | events.Steered = events.decode(event)
        execution.seen.add(received.message)
        execution.read_mail = max(execution.read_mail, received.number)
    elif event.type == events.STEP_RETRYING:
        retrying: events.StepRetrying = events.decode(event)
        again = RetryAt(retrying.due, retrying.attempt + 1, retrying.first_at)
        execution.retries[retrying.command] = again
    elif event.type == events.STEP_STARTED:
        started: events.StepStarted = events.decode(event)
        execution.announced[started.command] = started
    elif event.type == events.ATTEMPT_FAILED:
        execution.again_at = events.decode(event).due
    elif event.type == events.ATTEMPT_STARTED:
        execution.again_at = None
    elif event.type == events.TIMED_OUT:
        timed_out: events.TimedOut = events.decode(event)
        execution.late, execution.deadline, execution.again_at = timed_out.seconds, timed_out.until, None
