"""Stored exceptions read back: what `encode_error` wrote, and the errors that are made of it again."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from orquestrax.base.codec import encode_error
from orquestrax.base.errors import StepFailed, StepInterrupted, StepTimedOut

OWN: Final[dict[str, type[StepFailed]]] = {cls.__name__: cls for cls in (StepTimedOut, StepInterrupted)}
"""What the engine itself says of a step: no exception of its body."""


class Failure(msgspec.Struct, frozen=True):
    """One stored exception.

    type       name of its class
    message    its text
    traceback  formatted
    step       the step that failed, "" elsewhere
    args       its arguments as JSON gives them back; None where they are unknown or JSON cannot hold them
    module     where its class was defined; a hint, since one module may have two names
    bases      the names of the classes that it derives from, nearest first
    cause      what it was raised from
    """

    type: str = ""
    message: str = ""
    traceback: str = ""
    step: str = ""
    args: list[Any] | None = None
    module: str = ""
    bases: list[str] = []
    cause: Failure | None = None


_DECODE: Final = msgspec.json.Decoder(Failure).decode


def encode(error: BaseException, *, step: str) -> bytes:
    """The bytes to store for what the body of `step` raised, and for making it anew. Never raises."""
    return encode_error(error, step=step, with_args=True)


def decode(raw: bytes | str) -> Failure:
    """What was stored of an exception."""
    return _DECODE(raw)


def as_step_failed(failure: Failure) -> StepFailed:
    """The error that a workflow sees for it, with its chain of causes."""
    cause = None if failure.cause is None else as_step_failed(failure.cause)
    own = OWN.get(failure.type)
    cls = StepFailed if own is None else own
    kind = failure.type if own is None else ""  # its message says it all
    return cls(failure.message, type=kind, step=failure.step, traceback=failure.traceback, cause=cause)
