"""The events of an instance as sentences. Pure.

A history begins with its creation and its start, which are taken from the row: they cost no event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from orquestrax.core.store.clientverbs import EventView, InstanceView
from orquestrax.model import events
from orquestrax.web.views.clock import SECOND, duration
from orquestrax.web.views.payload import Payload, pretty, preview
from orquestrax.web.views.statuses import STATUSES, STEPS, Look
from orquestrax.web.views.story import decoded, first_line

SHOWN: Final = 200
DETAIL: Final = 4_000  # characters of an event's data before "load all"
_NOTE: Final = Look("", "dot", "idle", "·")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: `seq` is empty for what comes from the row; `after` is the time since the creation."""

    id: str
    seq: str
    at: int
    after: str
    look: Look
    text: str
    type: str
    data: Payload | None


def entries(view: InstanceView, history: Sequence[EventView], full: frozenset[str]) -> list[Entry]:
    """The lines of these events, in order, the beginning included. `full` names those that are not cut."""
    told = [_entry(view, event, full) for event in history]
    if history and history[0].seq > 1:
        return told
    return [*_beginning(view), *told]


def _beginning(view: InstanceView) -> list[Entry]:
    by = view.created_by or "a client"
    lines = [Entry("event-created", "", view.created_at, "0 ms", _NOTE, f"created by {by}", "created", None)]
    if view.started_at is not None:
        text = f"started on node {view.started_on}" if view.started_on else "started"
        after = duration(view.started_at - view.created_at)
        lines.append(
            Entry("event-started", "0", view.started_at, after, STATUSES["running"], text, "started", None)
        )
    return lines


def _entry(view: InstanceView, event: EventView, full: frozenset[str]) -> Entry:
    name = f"event-{event.seq}"
    look, tell = _TELLERS.get(event.type, (_NOTE, lambda _data: event.type.replace("_", " ")))
    return Entry(
        name,
        str(event.seq),
        event.at,
        duration(event.at - view.created_at),
        look,
        tell(decoded(event)),
        event.type,
        pretty(event.data, full=name in full, most=DETAIL),
    )


def _took(data: events.StepEnded | events.StepRetrying) -> str:
    return duration(data.ended_at - data.started_at)


def _attempt(data: Any) -> str:
    return f", attempt {data.attempt}" if data.attempt > 1 else ""


def _step_started(data: events.StepStarted) -> str:
    return f"{data.step}{_attempt(data)} runs on {data.node}"


def _step_retrying(data: events.StepRetrying) -> str:
    pause = duration(data.due - data.ended_at)
    failed = f"{data.step}, attempt {data.attempt} failed after {_took(data)}"
    return f"{failed}, again in {pause}: {first_line(data.error)}"


def _step_completed(data: events.StepEnded) -> str:
    return f"{data.step}{_attempt(data)} completed in {_took(data)}"


def _step_failed(data: events.StepEnded) -> str:
    return f"{data.step}{_attempt(data)} failed after {_took(data)}: {first_line(data.error)}"


def _step_kept(data: events.StepEnded) -> str:
    ended = "failed" if data.error is not None else "completed"
    return f"{data.step}{_attempt(data)} {ended} while paused: its outcome is kept"


def _step_cancelled(data: events.StepCancelled) -> str:
    return f"{data.step} cancelled: the workflow no longer waits for it"


def _steps_queued(data: events.StepsQueued) -> str:
    many = len(data.commands)
    return f"{many} step{'s' if many > 1 else ''} handed to the cluster's queues"


def _attempt_failed(data: events.AttemptFailed) -> str:
    return f"attempt {data.attempt} of the whole run failed, again from its input: {first_line(data.error)}"


def _timed_out(data: events.TimedOut) -> str:
    return f"over its time limit of {duration(round(data.seconds * SECOND))}: its code may clean up"


def _order(word: str) -> Callable[[Any], str]:
    def told(data: events.Steered) -> str:
        return f"{word}{by(data.by)}" + (f": {data.reason}" if data.reason else "")

    return told


def by(who: str) -> str:
    """Who gave an order, as the end of a sentence."""
    return f" by {who}" if who else ""


def _cancel(data: events.MessageReceived) -> str:
    reason = msgspec.json.decode(data.payload) if data.payload else ""
    return f"cancel requested{by(data.name)}" + (f": {reason}" if reason else "")


def _message(word: str) -> Callable[[events.MessageReceived], str]:
    def told(data: events.MessageReceived) -> str:
        value = preview(bytes(data.payload).decode() if data.payload else None)
        named = f"{word} {data.name}".rstrip()
        return f"{named}: {value}" if value and value != '""' else named

    return told


def _ended(word: str) -> Callable[[events.Ended], str]:
    def told(data: events.Ended) -> str:
        reason = data.reason or (first_line(data.error) if word == "failed" else "")
        left = f" ({len(data.unhandled)} messages that nobody took)" if data.unhandled else ""
        return f"{word}{by(data.by)}{f': {reason}' if reason else ''}{left}"

    return told


_TELLERS: Final[dict[str, tuple[Look, Callable[[Any], str]]]] = {
    events.STEP_STARTED: (STEPS["running"], _step_started),
    events.STEP_RETRYING: (STEPS["retrying"], _step_retrying),
    events.STEP_COMPLETED: (STEPS["completed"], _step_completed),
    events.STEP_FAILED: (STEPS["failed"], _step_failed),
    events.STEP_CANCELLED: (STEPS["cancelled"], _step_cancelled),
    events.STEPS_QUEUED: (STEPS["scheduled"], _steps_queued),
    events.TIMER_FIRED: (STEPS["scheduled"], lambda _data: "timer fired"),
    events.SIGNAL: (STATUSES["waiting"], _message("signal")),
    events.CANCEL: (STATUSES["cancelled"], _cancel),
    events.PAUSED: (STATUSES["paused"], _order("paused")),
    events.RESUMED: (STATUSES["running"], _order("resumed")),
    events.STEP_KEPT: (STATUSES["paused"], _step_kept),
    events.ATTEMPT_FAILED: (STEPS["retrying"], _attempt_failed),
    events.ATTEMPT_STARTED: (
        STEPS["running"],
        lambda data: f"attempt {data.attempt} of the whole run started",
    ),
    events.TIMED_OUT: (STATUSES["failed"], _timed_out),
    events.TAKEN_OVER: (STEPS["retrying"], lambda data: f"node {data.dead} died, taken over by {data.node}"),
    **{status: (STATUSES[status], _ended(status)) for status in sorted(events.TERMINAL)},
}
