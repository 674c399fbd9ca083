"""JSON schemas: what forms, OpenAPI and the definitions table are made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import jsonschema_rs
import msgspec
import pydantic
import pytest

from orquestrax.base.codec import Codec


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Leaf(pydantic.BaseModel):
    label: str = pydantic.Field(alias="Label")
    leaves: list[Leaf] = []


@dataclass
class Order:
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=9, pattern="^o", description="Its number")]
    amount: Annotated[float, msgspec.Meta(gt=0, le=10, multiple_of=0.5)]
    colour: Colour = Colour.BLUE
    folder: Path = Path("here")
    lines: list[Order] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    at: datetime | None = None
    limit: float = float("inf")


class Car(TypedDict, total=False):
    name: str


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Cat(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    lives: int | msgspec.UnsetType = msgspec.UNSET


class Row(msgspec.Struct, array_like=True):
    x: int
    y: int = 2


def schema(annotation: Any) -> dict[str, Any]:
    made = Codec(annotation, where="here").schema()
    jsonschema_rs.validator_for(made)
    assert made.pop("$schema") == "https://json-schema.org/draft/2020-12/schema"
    return made


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (None, {"type": "null"}),
        (Any, {}),
        (object, {}),
        (bool, {"type": "boolean"}),
        (bytes, {"type": "string", "contentEncoding": "base64"}),
        (datetime, {"type": "string", "format": "date-time"}),
        (Path, {"type": "string", "format": "path"}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Literal["b", "a"], {"enum": ["a", "b"]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (set[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        (dict[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
        (tuple[int, str], {
            "type": "array", "minItems": 2, "maxItems": 2,
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
        }),
        (tuple[()], {"type": "array", "minItems": 0, "maxItems": 0}),
        (Annotated[list[int], msgspec.Meta(max_length=3, title="Few")], {
            "type": "array", "items": {"type": "integer"}, "maxItems": 3, "title": "Few",
        }),
        (enum.Flag("Right", "READ WRITE"), {
            "$ref": "#/$defs/Right", "$defs": {"Right": {"title": "Right", "type": "integer"}},
        }),
    ],
)  # fmt: skip
def test_simple_types(annotation: Any, expected: dict[str, Any]) -> None:
    assert schema(annotation) == expected


def test_classes_are_defined_once_with_their_constraints_and_defaults() -> None:
    made = schema(list[Order])

    assert made["items"] == {"$ref": "#/$defs/Order"}
    order = made["$defs"]["Order"]
    assert (order["title"], order["type"], order["required"]) == ("Order", "object", ["id", "amount"])
    assert order["properties"] == {
        "id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 9,
            "pattern": "^o",
            "description": "Its number",
        },
        "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 10, "multipleOf": 0.5},
        "colour": {"$ref": "#/$defs/Colour", "default": "blue"},
        "folder": {"type": "string", "format": "path", "default": "here"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Order"}, "default": []},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "default": []},
        "at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "default": None},
        "limit": {"type": "number"},
    }
    assert made["$defs"]["Colour"] == {"title": "Colour", "enum": ["red", "blue"]}


def test_kinds_of_records() -> None:
    assert schema(Car)["$defs"]["Car"]["required"] == []
    pair = schema(Pair)["$defs"]["Pair"]
    assert (pair["type"], pair["minItems"], pair["maxItems"]) == ("array", 1, 2)
    assert pair["prefixItems"][1] == {"type": "string", "default": "r"}
    assert schema(Row)["$defs"]["Row"]["minItems"] == 1
    assert schema(Cat)["$defs"]["Cat"] == {
        "title": "Cat",
        "type": "object",
        "properties": {"type": {"const": "Cat"}, "lives": {"type": "integer"}},
        "required": ["type"],
        "additionalProperties": False,
    }


def test_models_keep_their_definitions_and_are_described_as_they_are_stored() -> None:
    made = schema(dict[str, Leaf | None])

    validator = jsonschema_rs.validator_for(made)
    assert validator.is_valid({"a": {"label": "x", "leaves": [{"label": "y"}]}, "b": None})
    assert not validator.is_valid({"a": {"label": "x", "leaves": [{"label": 3}]}})
    assert all(name.startswith("Leaf") for name in made["$defs"])


def test_classes_of_one_name_are_kept_apart() -> None:
    def make(kind: type) -> type:
        return dataclass(type("Same", (), {"__annotations__": {"x": kind}}))

    made = schema(tuple[make(int), make(str), make(bool)])  # type: ignore[misc]

    kinds = [made["$defs"][item["$ref"].removeprefix("#/$defs/")] for item in made["prefixItems"]]
    assert [kind["properties"]["x"]["type"] for kind in kinds] == ["integer", "string", "boolean"]
