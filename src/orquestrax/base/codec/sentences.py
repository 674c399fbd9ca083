"""Errors of msgspec, which speak of its own terms, as sentences for the person who passed the value."""

from __future__ import annotations

import json
import re

import msgspec

_UNSUPPORTED = re.compile(r"^(?P<why>.*?)(?: - type `(?P<type>.*)` is not supported)?$", re.DOTALL)
SURROGATE = re.compile("[\ud800-\udfff]")

# What a message of msgspec contains, and what we say instead about the type `{0}`.
_APART = "`{0}` mixes types that are all %s in JSON and cannot be told apart; "
_FIELD_EACH = "use one of them, or a dataclass with a field for each"
_TAG_EACH = "make them Structs of msgspec with `tag=True`, or one dataclass with a field for each"
_REMEDIES = {
    "must be tagged": "`{0}` mixes Structs that cannot be told apart in JSON; declare each with `tag=True`",
    "custom type": (
        "`{0}` has a path or a pydantic model beside another type, which JSON cannot tell apart; "
        "use it alone or with None, or one pydantic model that holds the union"
    ),
    "str-like": _APART % "text" + _FIELD_EACH,
    "int-like": _APART % "integers" + _FIELD_EACH,
    "array-like": _APART % "arrays" + _FIELD_EACH,
    "dict-like": _APART % "objects" + _TAG_EACH,
    "dataclass or attrs": _APART % "objects" + _TAG_EACH,
    "Enums must contain": "`{0}` has members that are neither all text nor all integers; give it such values",
    "Literal may only": "a Literal may hold only None, booleans, integers and text; use the enum itself",
    "InitVar": "a dataclass with an InitVar cannot be rebuilt from JSON; make it an ordinary field",
}


def remedy(error: Exception) -> str:
    """What is wrong with a type, and what to use instead."""
    found = _UNSUPPORTED.match(str(error))
    why, name = (found["why"], found["type"]) if found else (str(error), None)
    for sign, sentence in _REMEDIES.items():
        if sign in why:
            return sentence.format((name or "the type").replace("typing.", ""))
    about = f" (`{name}`)" if name else ""
    return f"a type that cannot be stored as JSON{about}: {_decapitalized(why)}"


def misfit(error: msgspec.ValidationError) -> tuple[str, str]:
    """What does not fit ("expected int, got str") and the path to it ("$.amount")."""
    what, _, path = str(error).partition(" - at ")
    what = what.replace("Object missing required field", "missing required field")
    return _decapitalized(what.replace("`", "")), path.replace("`", "").replace(" - at ", " of ") or "$"


def breach(raw: bytes | str) -> Exception | None:
    """The error of text that is no JSON whatever its type; None if it is."""
    try:
        msgspec.json.decode(raw)
    except msgspec.ValidationError:  # a number beyond all floats
        return None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        return error
    return None


def malformed(error: Exception, raw: bytes | str) -> str:  # noqa: PLR0911 - one line per way to be malformed
    """Why text is not JSON, with the position."""
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"the JSON is not UTF-8 at byte {error.start}"
    if isinstance(error, UnicodeEncodeError):
        return f"the JSON holds half of a surrogate pair at position {error.start}, which is no character"
    try:  # the standard library knows line and column, but lets more through
        value = json.loads(raw, parse_constant=_refuse_constant)
    except json.JSONDecodeError as better:
        return f"not valid JSON: {_decapitalized(better.msg)} at line {better.lineno}, column {better.colno}"
    except ValueError as constant:
        return f"not valid JSON: {constant}"
    if SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        return "the JSON holds half of a surrogate pair, which is no character"
    return f"not valid JSON: {_decapitalized(str(error))}"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number; use null or text")


def _decapitalized(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
