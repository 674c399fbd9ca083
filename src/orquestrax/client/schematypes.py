"""A JSON schema read back as a type: what a definition takes, where its code is not at hand.

The reverse of `base.codec.schemas`, for what that writes. What it does not know becomes `Any`: then the
schema's validator alone judges the value. Type and code give one and the same encoding, hence digest, for
plain JSON, dataclasses and the like, but not for what a schema cannot tell apart (a TypedDict, say).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

Schema = Mapping[str, Any]
_SIMPLE: Final[dict[str, Any]] = {
    "null": None,
    "boolean": bool,
    "integer": int,
    "number": float,
    "string": str,
}
_FORMATS: Final[dict[str, Any]] = {
    "date-time": dt.datetime,
    "date": dt.date,
    "time": dt.time,
    "duration": dt.timedelta,
    "uuid": UUID,
    "decimal": Decimal,
    "path": Path,
}


class SchemaTypes:
    """Reads the schemas that share one document's `$defs`."""

    def __init__(self, document: Schema) -> None:
        self._defs: Schema = document.get("$defs", {})
        self._made: dict[str, Any] = {}

    def of(self, schema: Schema) -> Any:
        """The type of the values that the schema describes; `Any` for what has none."""
        made = self._read(schema)
        try:
            msgspec.json.Decoder(made)
        except (TypeError, ValueError):  # a union that cannot be told apart by types
            return Any
        return made

    def _read(self, schema: Schema) -> Any:  # noqa: PLR0911 - one line per kind of schema
        match schema:
            case {"$ref": str(ref)}:
                return self._named(ref.removeprefix("#/$defs/"))
            case {"anyOf": [_, *_] as members}:
                return reduce(or_, [_as_member(self.of(member)) for member in members])
            case {"enum": [_, *_] as values}:
                return _literal(values)
            case {"const": value}:
                return _literal([value])
            case {"type": "array"}:
                return self._array(schema)
            case {"type": "object", "properties": dict(properties)}:
                return self._struct(schema, properties)
            case {"type": "object"}:
                values = schema.get("additionalProperties")
                return dict.__class_getitem__((str, self.of(values) if isinstance(values, dict) else Any))
            case {"type": "string"}:
                return _text(schema)
            case {"type": str(name)}:
                return _SIMPLE.get(name, Any)
            case _:
                return Any

    def _named(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = Any  # where a type holds itself; the validator goes on from there
            self._made[name] = self.of(self._defs.get(name, {}))
        return self._made[name]

    def _array(self, schema: Schema) -> Any:
        if "prefixItems" in schema:
            items = [self.of(item) for item in schema["prefixItems"]]
            whole = schema.get("minItems") == len(items)
            return tuple.__class_getitem__(tuple(items)) if whole else list[Any]
        item = self.of(schema.get("items", {}))
        return set.__class_getitem__(item) if schema.get("uniqueItems") else list.__class_getitem__(item)

    def _struct(self, schema: Schema, properties: Mapping[str, Schema]) -> Any:
        tags = {name: part["const"] for name, part in properties.items() if "const" in part}
        tag_field = next(iter(tags), None)
        names = [name for name in properties if name != tag_field]
        required = schema.get("required", ())
        fields = [(f"f{i}", *self._field(properties[name], name in required)) for i, name in enumerate(names)]
        return msgspec.defstruct(
            _identifier(str(schema.get("title", ""))),
            fields,
            rename={f"f{i}": name for i, name in enumerate(names)},
            tag_field=tag_field,
            tag=tags[tag_field] if tag_field is not None else None,
            forbid_unknown_fields=schema.get("additionalProperties") is False,
            kw_only=True,
        )

    def _field(self, schema: Schema, required: bool) -> tuple[Any, Any]:
        type_ = self.of(schema)
        if required:
            return type_, msgspec.NODEFAULT
        if "default" not in schema:
            return type_ | msgspec.UnsetType if type_ is not Any else Any, msgspec.UNSET
        raw, decoder = msgspec.json.encode(schema["default"]), msgspec.json.Decoder(type_)
        return type_, msgspec.field(default_factory=lambda: decoder.decode(raw))


def _text(schema: Schema) -> Any:
    if schema.get("contentEncoding") == "base64":
        return bytes
    return _FORMATS.get(schema.get("format", ""), str)


def _literal(values: Sequence[Any]) -> Any:
    plain = all(value is None or type(value) in (str, int) for value in values)
    return Literal.__getitem__(tuple(values)) if plain else Any


def _as_member(type_: Any) -> Any:
    return type(None) if type_ is None else type_


def _identifier(title: str) -> str:
    return title if title.isidentifier() else "Value"
