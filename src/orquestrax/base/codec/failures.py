"""Exceptions as JSON: what a history, a waiting client and the dashboard are told of an error."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orquestrax.base.codec.codec import ANY, MAX_PAYLOAD
from orquestrax.base.errors import StepFailed, WorkflowFailed

if TYPE_CHECKING:
    from types import TracebackType

_MAX_MESSAGE = 10_000
_MAX_TRACEBACK = 50_000
_MAX_ARGS = 1_000_000
_MAX_CAUSES = 10

# Whoever calls a step's or a workflow's function; files of these are left out at the top of tracebacks.
_CALLERS = (
    str(Path(__file__).parents[2]),
    str(Path(asyncio.__file__).parent),
    str(Path(concurrent.futures.__file__).parent),
    threading.__file__,
)


def encode_error(error: BaseException, *, step: str | None = None, with_args: bool = False) -> bytes:
    """Describe an exception as JSON: `type`, `message`, `traceback`, and `step`, `cause`, `args` if any.

    `cause` is the same for the exception it was raised from, or while handling which it was raised, at most
    10 deep. With `with_args` there is what it takes to make it anew: `args`, left out if JSON cannot hold
    them, and to find its class `module` and `bases`, the names of the exceptions that it derives from.
    Text is cut in the middle: messages at 10 kB, tracebacks at 50 kB. Never raises, whatever the exception.
    """
    records = list(_chain(error))
    if step is not None:
        records[0]["step"] = _clean(step, _MAX_MESSAGE)
    if with_args:
        records[0] |= _class(type(error)) | _args(error)
    raw = _encode(records)
    while len(raw) > MAX_PAYLOAD:  # escapes of control characters can make six bytes of one
        records.pop() if len(records) > 1 else records[0].pop("args")
        raw = _encode(records)
    return raw


def _encode(records: list[dict[str, Any]]) -> bytes:
    nested: dict[str, Any] = {}
    for record in reversed(records):
        nested = record | ({"cause": nested} if nested else {})
    return msgspec.json.encode(nested)


def _chain(error: BaseException) -> list[dict[str, Any]]:
    """The exception and its causes, outermost first."""
    records: list[dict[str, Any]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(records) <= _MAX_CAUSES:
        seen.add(id(current))
        records.append(_record(type(current).__name__, _message(current), _traceback(current)))
        if isinstance(current, StepFailed | WorkflowFailed) and current.type:
            records.extend(_remote(current))
            break
        current = _cause(current)
    return records[: _MAX_CAUSES + 1]


def _remote(error: StepFailed | WorkflowFailed) -> list[dict[str, Any]]:
    """What a failure that came from elsewhere knows of its origin, where there is no exception any more."""
    records: list[dict[str, Any]] = []
    current: BaseException | None = error
    while isinstance(current, StepFailed | WorkflowFailed) and len(records) < _MAX_CAUSES:
        records.append(_record(current.type, current.message, current.traceback))
        current = current.cause
    return records


def _record(kind: str, message: str, trace: str) -> dict[str, Any]:
    return {
        "type": _clean(kind, _MAX_MESSAGE),
        "message": _clean(message, _MAX_MESSAGE),
        "traceback": _clean(trace, _MAX_TRACEBACK),
    }


def _cause(error: BaseException) -> BaseException | None:
    try:
        plain = error.__cause__ is None and not error.__suppress_context__
        return error.__context__ if plain else error.__cause__
    except Exception:  # noqa: BLE001 - an exception whose attributes raise
        return None


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception's own __str__
        return "<its text cannot be had: __str__ failed>"


def _traceback(error: BaseException) -> str:
    try:
        lines = traceback.TracebackException(
            type(error), error, _users_frames(error.__traceback__), compact=True
        )
        return "".join(lines.format(chain=False))
    except Exception as fault:  # noqa: BLE001 - sources that cannot be read, attributes that raise
        return f"{type(error).__name__} (its traceback cannot be had: {type(fault).__name__})\n"


def _users_frames(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames that led to the user's code; an error of the engine's own keeps them all."""
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(_CALLERS):
        inner = inner.tb_next
    return inner or trace


def names_of_bases(cls: type[BaseException]) -> list[str]:
    """The names of the exceptions that a class derives from, nearest first, `Exception` included."""
    return [base.__name__ for base in cls.__mro__[1:] if issubclass(base, Exception)]


def _class(cls: type[BaseException]) -> dict[str, Any]:
    return {
        "module": _clean(cls.__module__, _MAX_MESSAGE),
        "bases": [_clean(name, _MAX_MESSAGE) for name in names_of_bases(cls)],
    }


def _args(error: BaseException) -> dict[str, Any]:
    try:
        raw = ANY.encode(list(error.args))
    except Exception:  # noqa: BLE001 - what JSON cannot hold, or an exception whose attributes raise
        return {}
    return {"args": msgspec.Raw(raw)} if len(raw) <= _MAX_ARGS else {}


def _clean(text: str, limit: int) -> str:
    """Text that PostgreSQL takes: no NUL, no lone surrogates, at most `limit` bytes, cut in the middle."""
    encoded = str(text).replace("\0", "\\x00").encode(errors="backslashreplace")
    if len(encoded) <= limit:
        return encoded.decode()
    half = (limit - 40) // 2
    gap = f" … {len(encoded) - 2 * half:,} bytes left out … "
    return encoded[:half].decode(errors="ignore") + gap + encoded[-half:].decode(errors="ignore")
