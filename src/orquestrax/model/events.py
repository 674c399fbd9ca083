"""What has happened to an instance: the rows of its history.

Driving events run workflow code or move its time; informational ones are for people and for a successor.
`issued` and `trail` (a rolling CRC-32 of kinds and names) say how many commands the code had asked for when the
event was applied: replay compares both, so also commands that left no event of their own are checked.

Seq 0 is the start, which is the instance's row itself; stored events begin at 1 and have no gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

# msgspec cannot decode `Raw | None`; a struct's default may be None all the same.
if TYPE_CHECKING:
    MaybeRaw = msgspec.Raw | None
else:
    MaybeRaw = msgspec.Raw

STEP_COMPLETED: Final = "step_completed"
STEP_FAILED: Final = "step_failed"
TIMER_FIRED: Final = "timer_fired"
SIGNAL: Final = "signal_received"
CANCEL: Final = "cancel_requested"

ATTEMPT_FAILED: Final = "attempt_failed"
ATTEMPT_STARTED: Final = "attempt_started"
TIMED_OUT: Final = "timed_out"

STEP_STARTED: Final = "step_started"
STEP_RETRYING: Final = "step_retrying"
STEP_CANCELLED: Final = "step_cancelled"
STEPS_QUEUED: Final = "steps_queued"
STEP_KEPT: Final = "step_kept"
PAUSED: Final = "paused"
RESUMED: Final = "resumed"
TAKEN_OVER: Final = "taken_over"

COMPLETED: Final = "completed"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
TERMINATED: Final = "terminated"

STEERING: Final = frozenset({PAUSED, RESUMED})
RECEIVED: Final = frozenset({SIGNAL, CANCEL, *STEERING})
DRIVING: Final = frozenset(
    {STEP_COMPLETED, STEP_FAILED, TIMER_FIRED, SIGNAL, CANCEL, ATTEMPT_FAILED, ATTEMPT_STARTED, TIMED_OUT}
)
TERMINAL: Final = frozenset({COMPLETED, FAILED, CANCELLED, TERMINATED})


class Event(msgspec.Struct, frozen=True, gc=False):
    """One row of a history; `data` is a JSON object whose shape follows from `type` (below)."""

    seq: int
    type: str
    at: int
    issued: int
    trail: int
    data: bytes | str


class StepEnded(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """step_completed (with `result`) and step_failed (with `error`): the final outcome of a step.

    Also step_kept: it came while the instance was paused; the code hears of it after the resume.
    """

    command: int
    step: str
    attempt: int
    node: str
    started_at: int
    ended_at: int
    result: MaybeRaw = None
    error: MaybeRaw = None


class StepStarted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """step_started: an attempt has been running for a while, here; `file` and `line` are where it was asked for."""

    command: int
    step: str
    attempt: int
    node: str
    started_at: int
    file: str | None = None
    line: int | None = None


class StepRetrying(msgspec.Struct, frozen=True, gc=False):
    """step_retrying: an attempt failed; the next one is due at `due`. `first_at` is when the first one began."""

    command: int
    step: str
    attempt: int
    node: str
    started_at: int
    ended_at: int
    first_at: int
    due: int
    error: msgspec.Raw


class StepCancelled(msgspec.Struct, frozen=True, gc=False):
    """step_cancelled: the workflow stopped waiting for the step; its outcome no longer counts."""

    command: int
    step: str


class StepsQueued(msgspec.Struct, frozen=True, gc=False):
    """steps_queued: steps that were to run here were handed to the cluster's queues, where any node takes them."""

    commands: list[int]
    node: str


class TimerFired(msgspec.Struct, frozen=True, gc=False):
    """timer_fired: the database's clock has reached the timer's due time."""

    command: int


class MessageReceived(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """signal_received and cancel_requested. `message` is the sender's id, `number` the place in the inbox.

    `name` is the signal's, or who asked for the cancel.
    """

    number: int
    message: str
    name: str = ""
    payload: MaybeRaw = None


class Steered(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """paused and resumed: who said so, and why. Written also by nodes that do not have the code."""

    number: int
    message: str
    by: str = ""
    reason: str = ""


class AttemptFailed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """attempt_failed: the code failed, and is run again from its input at `due`: a new epoch of the history.

    Nothing before it is replayed any more, but for the signals that nobody had taken: `kept` are their places in the
    inbox. Commands are numbered on from this event's `issued`.
    """

    attempt: int
    node: str
    due: int
    error: msgspec.Raw
    kept: list[int] = []


class AttemptStarted(msgspec.Struct, frozen=True, gc=False):
    """attempt_started: the code begins anew, at the time of this event."""

    attempt: int
    node: str


class TimedOut(msgspec.Struct, frozen=True, gc=False):
    """timed_out: the whole run is over its time limit of `seconds`; the code may clean up until `until`."""

    seconds: float
    until: int
    node: str


class Unhandled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A message that no code took before the end."""

    kind: str
    name: str
    message: str
    payload: MaybeRaw = None


class Ended(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The terminal events: result, error or reason, and the messages that nobody took.

    `by` is who terminated it; `unrun` if it was not the code that came to this end, so that replay does not either.
    """

    node: str
    result: MaybeRaw = None
    error: MaybeRaw = None
    reason: str = ""
    unhandled: list[Unhandled] = []
    unrun: bool = False
    by: str = ""


class TakenOver(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """taken_over: the owner was declared dead, another node goes on, `after` seconds after its last sign of life."""

    dead: str
    node: str
    after: float | None = None


class Blocked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The two sides of a mismatch, as stored in the row's `blocked` column."""

    message: str
    recorded: str
    asked: str
    file: str | None = None
    line: int | None = None


_SHAPES: Final[dict[str, type[Any]]] = {
    STEP_COMPLETED: StepEnded,
    STEP_FAILED: StepEnded,
    STEP_STARTED: StepStarted,
    STEP_RETRYING: StepRetrying,
    STEP_CANCELLED: StepCancelled,
    STEPS_QUEUED: StepsQueued,
    STEP_KEPT: StepEnded,
    PAUSED: Steered,
    RESUMED: Steered,
    TIMER_FIRED: TimerFired,
    SIGNAL: MessageReceived,
    CANCEL: MessageReceived,
    TAKEN_OVER: TakenOver,
    ATTEMPT_FAILED: AttemptFailed,
    ATTEMPT_STARTED: AttemptStarted,
    TIMED_OUT: TimedOut,
    **dict.fromkeys(TERMINAL, Ended),
}
_DECODERS: Final = {name: msgspec.json.Decoder(shape) for name, shape in _SHAPES.items()}
encode: Final = msgspec.json.Encoder().encode
"""The bytes to store for one of the structs above."""


def decode(event: Event) -> Any:
    """The event's data as the struct that belongs to its type."""
    return _DECODERS[event.type].decode(event.data)


def raw(payload: bytes | str) -> msgspec.Raw:
    """Encoded bytes as a part of a struct above: they are stored as they are."""
    return msgspec.Raw(payload if isinstance(payload, bytes) else payload.encode())
