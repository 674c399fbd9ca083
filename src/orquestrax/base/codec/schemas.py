"""JSON schema (2020-12) of a type: for forms, OpenAPI and the definitions table.

msgspec's own generator fails on defaults that it cannot encode (a path) and on pydantic's definitions.
"""

from __future__ import annotations

import re
from enum import Flag
from typing import Any

import msgspec
from msgspec import inspect as shape

from orquestrax.base.codec.faults import find_fault
from orquestrax.base.codec.hooks import ENCODER, is_model

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": "string"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}
_SIMPLE: dict[type[shape.Type], dict[str, Any]] = {
    shape.AnyType: {},
    shape.NoneType: {"type": "null"},
    shape.BoolType: {"type": "boolean"},
    shape.IntType: {"type": "integer"},
    shape.FloatType: {"type": "number"},
    shape.StrType: _TEXT,
    shape.BytesType: _BASE64,
    shape.ByteArrayType: _BASE64,
    shape.MemoryViewType: _BASE64,
    shape.DateTimeType: _TEXT | {"format": "date-time"},
    shape.DateType: _TEXT | {"format": "date"},
    shape.TimeType: _TEXT | {"format": "time"},
    shape.TimeDeltaType: _TEXT | {"format": "duration"},
    shape.UUIDType: _TEXT | {"format": "uuid"},
    shape.DecimalType: _TEXT | {"format": "decimal"},
}
_CONSTRAINTS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}
_FACTORIES = (list, dict, set, frozenset)


class SchemaBuilder:
    """Writes schemas that share one set of `$defs`."""

    def __init__(self) -> None:
        self.defs: dict[str, Any] = {}
        self._names: dict[Any, str] = {}

    def of(self, root: shape.Type) -> dict[str, Any]:  # noqa: PLR0911 - one line per kind of type
        """The schema of a type; what has a name is put in `defs` and referred to."""
        match root:
            case shape.Metadata():
                return self.of(root.type) | (root.extra_json_schema or {})
            case shape.UnionType():
                return {"anyOf": [self.of(member) for member in root.types]}
            case shape.LiteralType():
                return {"enum": list(root.values)}
            case shape.CustomType():
                return self._custom(root.cls)
            case shape.EnumType() | shape.StructType() | shape.DataclassType():
                return self._named(root)
            case shape.TypedDictType() | shape.NamedTupleType():
                return self._named(root)
            case shape.CollectionType() | shape.TupleType() | shape.DictType():
                return self._container(root)
            case _:
                return _SIMPLE[type(root)] | _constraints(root, "Length")

    def finish(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema as a document of its own."""
        return {"$schema": DIALECT} | schema | ({"$defs": self.defs} if self.defs else {})

    def _container(self, root: shape.CollectionType | shape.TupleType | shape.DictType) -> dict[str, Any]:
        if isinstance(root, shape.DictType):
            values = {"additionalProperties": self.of(root.value_type)}
            return {"type": "object"} | values | _constraints(root, "Properties")
        if isinstance(root, shape.TupleType):
            return _array([self.of(item) for item in root.item_types], len(root.item_types))
        unique = {"uniqueItems": True} if isinstance(root, shape.SetType | shape.FrozenSetType) else {}
        return {"type": "array", "items": self.of(root.item_type)} | unique | _constraints(root, "Items")

    def _custom(self, cls: Any) -> dict[str, Any]:
        if cls is object:
            return {}
        if not is_model(cls):
            return {"type": "string", "format": "path"}
        name = self._name(cls)
        if name not in self.defs:
            # By name, as models are stored; their aliases are understood as well.
            schema = cls.model_json_schema(by_alias=False, ref_template=f"#/$defs/{name}.{{model}}")
            inner = schema.pop("$defs", {})
            self.defs |= {name: schema} | {f"{name}.{key}": value for key, value in inner.items()}
        return {"$ref": f"#/$defs/{name}"}

    def _named(self, root: Any) -> dict[str, Any]:
        name = self._name(root.cls)
        if name not in self.defs:
            self.defs[name] = {}  # a type may hold itself
            title = {"title": getattr(root.cls, "__name__", str(root.cls))}
            self.defs[name] = title | (
                _enum(root.cls) if isinstance(root, shape.EnumType) else self._fields(root)
            )
        return {"$ref": f"#/$defs/{name}"}

    def _name(self, cls: Any) -> str:
        if cls not in self._names:
            plain = re.sub(r"\W+", "_", getattr(cls, "__name__", str(cls))).strip("_")
            taken = sum(other == plain or other.startswith(f"{plain}-") for other in self._names.values())
            self._names[cls] = f"{plain}-{taken + 1}" if taken else plain
        return self._names[cls]

    def _fields(self, root: Any) -> dict[str, Any]:
        schemas = {field.encode_name: self.of(field.type) | _default(field) for field in root.fields}
        required = [field.encode_name for field in root.fields if field.required]
        tag_field = getattr(root, "tag_field", None)
        if tag_field is not None:
            schemas = {tag_field: {"const": root.tag}} | schemas
            required = [tag_field, *required]
        if isinstance(root, shape.NamedTupleType) or getattr(root, "array_like", False):
            return _array(list(schemas.values()), len(required))
        closed = {"additionalProperties": False} if getattr(root, "forbid_unknown_fields", False) else {}
        return {"type": "object", "properties": schemas, "required": required} | closed


def _array(items: list[dict[str, Any]], required: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array", "minItems": required, "maxItems": len(items)}
    return schema | ({"prefixItems": items} if items else {})


def _enum(cls: Any) -> dict[str, Any]:
    if issubclass(cls, Flag):
        return {"type": "integer"}  # members can be combined
    return {"enum": [member.value for member in cls]}


def _constraints(root: shape.Type, counted: str) -> dict[str, Any]:
    names = _CONSTRAINTS | {"min_length": f"min{counted}", "max_length": f"max{counted}"}
    given = {name: getattr(root, attribute, None) for attribute, name in names.items()}
    return {name: limit for name, limit in given.items() if limit is not None}


def _default(field: shape.Field) -> dict[str, Any]:
    if field.default_factory in _FACTORIES:
        return {"default": msgspec.to_builtins(field.default_factory())}
    if field.default is msgspec.NODEFAULT or field.default is msgspec.UNSET:
        return {}
    if find_fault(field.default):
        return {}  # refused when a value holds it, not here
    return {"default": msgspec.json.decode(ENCODER.encode(field.default))}
