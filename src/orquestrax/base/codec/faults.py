"""Why and where a value cannot be stored. Asked only when encoding failed or lost something."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Awaitable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import msgspec

from orquestrax.base.codec.hooks import ENCODER, field_names, is_model, model_items, to_plain
from orquestrax.base.codec.sentences import SURROGATE

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDLESS = "the value is nested too deeply, or holds itself"
_MAX_DEPTH = 10_000  # only a value that holds itself is deeper than what msgspec encodes
_SMALL = 64
_HARMLESS = frozenset({type(None), bool, bytes, date, timedelta, UUID})
_NAMES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


class _Place(NamedTuple):
    """A value and the way to it, as a chain: paths are written out for the one place that is at fault."""

    value: Any
    segment: str
    outer: _Place | None
    depth: int

    def path(self) -> str:
        segments, place = [], self if self.outer else None
        while place:
            segments.append(place.segment)
            place = place.outer
        return "".join(reversed(segments))


def find_fault(value: Any) -> str | None:
    """Describe the first thing within `value` that cannot be stored as JSON; None if there is none."""
    stack = [_Place(value, "$", None, 0)]
    while stack:
        place = stack.pop()
        if place.depth > _MAX_DEPTH:
            return ENDLESS
        problem = _problem(place.value)
        if problem:
            return _sentence(problem, place.path())
        inside = _inside(place.value)
        inner = [_Place(item, at, place, place.depth + 1) for at, item in inside if not _is_harmless(item)]
        stack.extend(reversed(inner))
    return None


def is_finite(value: Any) -> bool:
    """Quickly, whether all floats within `value` are finite; False if that cannot be told quickly."""
    try:
        json.dumps(msgspec.to_builtins(value, enc_hook=to_plain), allow_nan=False)
    except Exception:  # noqa: BLE001 - a number at fault, or a model, or code of the value's own classes
        return False
    return True


def has_words(raw: bytes) -> bool:
    """Whether `raw` may hold a Decimal, or a dict's key, that is not finite: they are written as words."""
    return b'inf"' in raw or b'nan"' in raw or b'NaN"' in raw or b'Infinity"' in raw


def _is_harmless(value: Any) -> bool:
    """A quick test that most values pass."""
    match value:
        case str():
            return value.isascii() and "\0" not in value and type(value) is str
        case float():
            return math.isfinite(value)
        case int():
            return value.bit_length() < _SMALL
        case _:
            return type(value) in _HARMLESS


def _sentence(problem: str, path: str) -> str:
    what, _, rest = problem.partition("; ")
    where = f" at {path}" if path else ""
    return f"{what}{where} cannot be stored" + (f"; {rest}" if rest else "")


def _problem(value: Any) -> str | None:  # noqa: PLR0911 - one line per kind of value
    match value:
        case None | bool() | Enum() | list() | tuple() | set() | frozenset():
            return None
        case dict():
            return next(filter(None, map(_problem_of_key, value)), None)
        case str():
            return _problem_of_text(value)
        case PurePath():
            return _problem_of_text(str(value))
        case float() if not math.isfinite(value):
            return f"{_NAMES[str(float(value))]}; use None or text, JSON has no such number"
        case Decimal() if not value.is_finite():
            return f"Decimal('{value}'); use None or text, it is not a number"
        case datetime() | time():
            return _problem_of_offset(value.utcoffset())
        case _ if is_model(type(value)) or field_names(value) is not None:
            return None
        case _:
            return _problem_of_encoding(value)


def _problem_of_key(key: Any) -> str | None:
    problem = _problem(key)
    if problem:
        return f"a dict's key that is {problem}"
    try:
        ENCODER.encode({key: None})
    except (TypeError, NotImplementedError):
        return f"a dict's key of type `{type(key).__qualname__}`; use text, numbers, enums, UUIDs or dates"
    return None


def _problem_of_text(text: str) -> str | None:
    if "\0" in text:
        return "text with a NUL character; remove it, PostgreSQL stores none"
    if SURROGATE.search(text):
        return "text with half of a surrogate pair; remove it, or pass bytes if it is not text"
    return None


def _problem_of_offset(offset: timedelta | None) -> str | None:
    if offset is None or not offset % timedelta(minutes=1):
        return None
    return f"a time whose offset from UTC has seconds ({offset}); use astimezone(timezone.utc)"


def _problem_of_encoding(value: Any) -> str | None:
    try:
        ENCODER.encode(value)
    except NotImplementedError:
        kind = type(value).__qualname__
        if isinstance(value, Awaitable):
            return (
                f"an object of type `{kind}`; it was not awaited: write `await`, or `.call(…)` in a plain def"
            )
        return f"an object of type `{kind}`; use plain types, a dataclass, a Struct or a pydantic model"
    except Exception as error:  # noqa: BLE001 - it may run code of the value's own class
        if isinstance(value, int):
            return f"an integer of more than {sys.get_int_max_str_digits()} digits; use text"
        return f"an object of type `{type(value).__qualname__}`; {one_line(error)}"
    return None


def one_line(error: BaseException) -> str:
    """The first line of an error, or its type where it has no text."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case Enum():
            yield ".value", value.value
        case dict():
            yield from ((_segment(key), item) for key, item in value.items())
        case list() | tuple() | set() | frozenset():
            yield from ((f"[{index}]", item) for index, item in enumerate(value))
        case _ if is_model(type(value)):
            yield from ((f".{name}", item) for name, item in model_items(value))
        case _:
            names = field_names(value) or ()
            yield from ((f".{name}", getattr(value, name)) for name in names if hasattr(value, name))


def _segment(key: Any) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"
