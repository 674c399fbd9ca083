"""Events about a whole run: its attempts, and its time limit.

A failed run may be run again in the same instance: `attempt_failed` closes an epoch, `attempt_started` begins the
code anew. Nothing of an earlier epoch is replayed but the signals that nobody had taken, so `resume` may begin right
there; command numbers go on, and random streams are others. Between the two events no code is there: signals are
kept, and a cancellation or the time limit ends the instance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from orquestrax.base.errors import WorkflowTimedOut
from orquestrax.model import events
from orquestrax.model.events import Event
from orquestrax.replay import mismatch

if TYPE_CHECKING:
    from orquestrax.replay.instance import Replay


def resume(replay: Replay, event: Event, earlier: Iterable[Event]) -> None:
    """Stand behind this attempt_failed without having applied what came before it."""
    data: events.AttemptFailed = events.decode(event)
    wanted = set(data.kept)
    signals = (events.decode(each) for each in earlier if wanted and each.type == events.SIGNAL)
    replay.next_epoch(event, data.attempt + 1, [each for each in signals if each.number in wanted])


def late(seconds: float) -> WorkflowTimedOut:
    """The failure of a run that is over its time limit."""
    return WorkflowTimedOut(f"the workflow ran longer than {seconds:g} s in all (timeout={seconds:g})")


def _failed(replay: Replay, event: Event, data: events.AttemptFailed) -> None:
    machine, finish = replay.machine, replay.finish
    if finish is None:
        raise mismatch.not_ended(event, machine, replay.waits_at())
    if finish.status != events.FAILED:
        raise mismatch.ended(event, finish)
    mismatch.check(event, data, machine, replay.waits_at)
    replay.next_epoch(event, data.attempt + 1, machine.mailbox.kept())


def _started(replay: Replay, event: Event, data: events.AttemptStarted) -> None:
    mismatch.check(event, data, replay.machine, replay.waits_at)
    if not replay.resting:
        raise mismatch.still_running(event)
    loop = replay.loop
    loop.now = loop.started_at = event.at
    replay.begin()


def _timed_out(replay: Replay, event: Event, data: events.TimedOut) -> None:
    mismatch.check(event, data, replay.machine, replay.waits_at)
    if replay.finish is not None:
        raise mismatch.ended(event, replay.finish)
    replay.machine.before = replay.machine.issued
    replay.loop.now = event.at
    replay.time_out(late(data.seconds))


WHOLE_RUN: Final[dict[str, Callable[[Replay, Event, Any], None]]] = {
    events.ATTEMPT_FAILED: _failed,
    events.ATTEMPT_STARTED: _started,
    events.TIMED_OUT: _timed_out,
}
