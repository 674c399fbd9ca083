"""What was typed into a form: texts by path. From defaults, to a value, a row more, a row less."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from orquestrax.web.views.forms.shape import ROOT, Shape

Typed = dict[str, str]
MOST_ITEMS: Final = 200
LEFT_OUT: Final = object()


def defaults(shape: Shape, path: str = ROOT) -> Typed:
    """What an untouched form holds."""
    if shape.has_default:
        return written(shape, shape.default, path)
    if shape.kind == "group":
        return {
            name: text
            for key, part in shape.parts.items()
            for name, text in defaults(part, f"{path}.{key}").items()
        }
    if shape.kind == "list":
        return {f"{path}.#": "0"}
    return {}


def written(shape: Shape, value: Any, path: str = ROOT) -> Typed:
    """The texts that stand for a value."""
    if shape.kind == "group" and isinstance(value, dict):
        texts: Typed = {}
        for key, part in shape.parts.items():
            texts |= (
                written(part, value[key], f"{path}.{key}")
                if key in value
                else defaults(part, f"{path}.{key}")
            )
        return texts
    if shape.kind == "list" and isinstance(value, list) and shape.item is not None:
        texts = {f"{path}.#": str(len(value))}
        for place, item in enumerate(value):
            texts |= written(shape.item, item, f"{path}.{place}")
        return texts
    if value is None or shape.kind in ("group", "list"):
        return {}  # nothing, or nothing that fits
    if shape.kind == "json":
        return {path: msgspec.json.format(msgspec.json.encode(value), indent=2).decode()}
    if shape.kind == "choice":
        return {path: msgspec.json.encode(value).decode()}
    return {path: str(value).lower() if isinstance(value, bool) else str(value)}


def length(typed: Mapping[str, str], path: str) -> int:
    """How many items a list has."""
    text = typed.get(f"{path}.#", "0")
    return min(int(text), MOST_ITEMS) if text.isascii() and text.isdigit() else 0


def with_item(typed: Mapping[str, str], path: str, item: Shape | None) -> Typed:
    """One more item at the end of a list."""
    count = length(typed, path)
    fresh = defaults(item, f"{path}.{count}") if item is not None else {}
    return {**typed, **fresh, f"{path}.#": str(count + 1)}


def without_item(typed: Mapping[str, str], path: str, place: int) -> Typed:
    """One item less: those behind it move up."""
    kept: Typed = {}
    for name, text in typed.items():
        head, _, rest = name.removeprefix(f"{path}.").partition(".")
        if not name.startswith(f"{path}.") or not head.isdigit() or int(head) < place:
            kept[name] = text
        elif int(head) > place:
            kept[f"{path}.{int(head) - 1}" + (f".{rest}" if rest else "")] = text
    kept[f"{path}.#"] = str(max(length(typed, path) - 1, 0))
    return kept


def value_of(shape: Shape, typed: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
    """The JSON value of a form, `LEFT_OUT` if all of it is; and a sentence for each path that is wrong."""
    reader = _Reader(typed)
    return reader.read(shape, ROOT), reader.problems


class _Reader:
    def __init__(self, typed: Mapping[str, str]) -> None:
        self._typed = typed
        self.problems: dict[str, str] = {}

    def read(self, shape: Shape, path: str) -> Any:
        match shape.kind:
            case "group":
                values = {key: self.read(part, f"{path}.{key}") for key, part in shape.parts.items()}
                return {key: value for key, value in values.items() if value is not LEFT_OUT}
            case "list":
                assert shape.item is not None
                return [self.read_item(shape.item, f"{path}.{n}") for n in range(length(self._typed, path))]
            case "const":
                return shape.default
            case "boolean" if not shape.nullable:
                return self._typed.get(path) == "true"
            case _:
                return self._single(shape, path)

    def read_item(self, item: Shape, path: str) -> Any:
        value = self.read(item, path)
        return None if value is LEFT_OUT else value

    def _single(self, shape: Shape, path: str) -> Any:
        text = self._typed.get(path, "")
        if shape.kind == "text" and (text or shape.default == "" or isinstance(shape.default, str)):
            return text
        text = text.strip()
        if not text:
            return self._empty(shape, path)
        try:
            return _READERS[shape.kind](text)
        except (ValueError, msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            self.problems[path] = _WANTED[shape.kind]
            return LEFT_OUT

    def _empty(self, shape: Shape, path: str) -> Any:
        if shape.nullable:
            return None
        if shape.required:
            self.problems[path] = "it must be given"
        return LEFT_OUT


def _integer(text: str) -> int:
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    return int(text)


def _number(text: str) -> Any:
    value = msgspec.json.decode(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(text)  # noqa: TRY004 - it is text, and not a number
    return value


def _moment(text: str) -> str:
    """What a browser's field for date and time holds has no zone: it is taken for UTC, as its label says."""
    day, _, time = text.partition("T")
    zoned = time.endswith("Z") or "+" in time or "-" in time
    return text if zoned else f"{day}T{_time(time)}Z"


def _time(text: str) -> str:
    return f"{text}:00" if len(text) == len("20:31") else text


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "integer": _integer,
    "number": _number,
    "boolean": lambda text: text == "true",
    "choice": msgspec.json.decode,
    "json": msgspec.json.decode,
    "date": str,
    "datetime": _moment,
    "time": _time,
    "text": str,
}
_WANTED: Final = {
    "integer": "it must be a whole number",
    "number": "it must be a number",
    "choice": "choose one of the list",
    "json": "it must be JSON",
}
