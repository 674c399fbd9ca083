"""For an enum or Literal that a value did not match: what it could have been. msgspec does not say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import inspect as shape

from orquestrax.base.codec.shapes import bare

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SEGMENT = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_SHOWN = 12


def choices(root: shape.Type, path: str) -> str:
    """The allowed values at a path such as `$.orders[2].colour`, as text; empty if they are no short list."""
    nodes = _members([root])
    for name, index in _SEGMENT.findall(path):
        nodes = _members(inner for node in nodes for inner in _within(node, name or index))
    values = [value for node in nodes for value in _values(node)]
    return ", ".join(map(repr, values)) if 0 < len(values) <= _SHOWN else ""


def _members(nodes: Iterable[shape.Type]) -> list[shape.Type]:
    """Unions replaced by what they hold."""
    found: list[shape.Type] = []
    for wrapped in nodes:
        node = bare(wrapped)
        found.extend(_members(node.types) if isinstance(node, shape.UnionType) else [node])
    return found


def _within(node: shape.Type, segment: str) -> Sequence[shape.Type]:
    match node:
        case shape.CollectionType():
            return [node.item_type]
        case shape.TupleType() if segment.isdigit():
            return node.item_types[int(segment) : int(segment) + 1]
        case shape.DictType():
            return [node.value_type]
        case shape.StructType() | shape.DataclassType() | shape.TypedDictType() | shape.NamedTupleType():
            fields = node.fields[int(segment) :][:1] if segment.isdigit() else node.fields
            return [
                field.type
                for field in fields
                if segment in (field.encode_name, str(node.fields.index(field)))
            ]
        case _:
            return []


def _values(node: shape.Type) -> Sequence[str | int | None]:
    match node:
        case shape.EnumType():
            return [member.value for member in node.cls]
        case shape.LiteralType():
            return node.values
        case _:
            return []
