"""A JSON schema as a tree of fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

ROOT: Final = "input"
DEEPEST: Final = 5
_MISSING: Final = object()
_TEXTS: Final = {"date": "date", "date-time": "datetime", "time": "time"}
_PLAIN: Final = {"integer": "integer", "number": "number", "boolean": "boolean"}
Schema = Mapping[str, Any]


@dataclass(slots=True)
class Shape:
    """One field.

    kind      text, integer, number, boolean, choice, date, datetime, time, group, list, const or json
    default   the JSON value that an empty field stands for; `has_default` tells null from none
    choices   of a choice: JSON text and words
    parts     of a group: by name, in order
    item      of a list
    """

    kind: str
    label: str = ""
    required: bool = True
    nullable: bool = False
    default: Any = None
    has_default: bool = False
    note: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    parts: dict[str, Shape] = field(default_factory=dict)
    item: Shape | None = None
    limits: dict[str, Any] = field(default_factory=dict)


def shape_of(schema: Schema) -> Shape | None:
    """The form of an input schema; None if there is nothing to give."""
    root = _Builder(schema.get("$defs", {})).shape(schema, ROOT, depth=0)
    if root.kind == "group" and not root.parts:
        return None
    root.label = str(schema.get("title", ""))
    return root


class _Builder:
    def __init__(self, defs: Mapping[str, Schema]) -> None:
        self._defs = defs

    def shape(self, schema: Schema, label: str, *, depth: int, required: bool = True) -> Shape:
        default = schema.get("default", _MISSING)
        schema, nullable = self._plain(schema)
        made = self._kind(schema, depth)
        if nullable and made.kind in ("group", "list"):
            made = Shape("json")  # an empty group is not the same as none
        made.label, made.required, made.nullable = label, required, nullable
        made.note = str(schema.get("description", ""))
        if default is not _MISSING:
            made.default, made.has_default, made.required = default, True, False
        return made

    def _plain(self, schema: Schema) -> tuple[Schema, bool]:
        """References followed; a choice between something and null is that something, nullable."""
        nullable = False
        for _ in range(DEEPEST * 2):
            if "$ref" in schema:
                target = self._defs.get(str(schema["$ref"]).removeprefix("#/$defs/"), {})
                schema = {**target, **{name: value for name, value in schema.items() if name != "$ref"}}
            elif "anyOf" in schema:
                some = [one for one in schema["anyOf"] if one.get("type") != "null"]
                nullable = nullable or len(some) < len(schema["anyOf"])
                if len(some) != 1:
                    return {}, nullable
                schema = some[0]
            else:
                break
        return schema, nullable

    def _kind(self, schema: Schema, depth: int) -> Shape:  # noqa: PLR0911 - one line per kind
        kind = schema.get("type")
        if "const" in schema:
            return Shape("const", default=schema["const"], has_default=True)
        if "enum" in schema:
            return Shape("choice", choices=tuple((_json(value), _word(value)) for value in schema["enum"]))
        if kind == "object" and "properties" in schema and depth < DEEPEST:
            return self._group(schema, depth)
        if kind == "array" and "items" in schema and "prefixItems" not in schema and depth < DEEPEST:
            return Shape("list", item=self.shape(schema["items"], "", depth=depth + 1))
        if kind == "string" and "contentEncoding" not in schema:
            return Shape(_TEXTS.get(schema.get("format", ""), "text"))
        if kind in _PLAIN:
            return Shape(_PLAIN[kind], limits={n: schema[n] for n in ("minimum", "maximum") if n in schema})
        return Shape("json")

    def _group(self, schema: Schema, depth: int) -> Shape:
        required = set(schema.get("required", ()))
        parts = {
            name: self.shape(part, name, depth=depth + 1, required=name in required)
            for name, part in schema["properties"].items()
        }
        return Shape("group", parts=parts)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _word(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)
