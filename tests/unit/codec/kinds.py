"""A class of every kind that codecs know, and a way to compare values with all their types."""

from __future__ import annotations

import dataclasses
import enum
from datetime import date, datetime, time
from decimal import Decimal
from typing import (
    Any,
    Generic,
    NamedTuple,
    NewType,
    NotRequired,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import attrs
import msgspec
import pydantic

T = TypeVar("T")
Sku = NewType("Sku", str)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Size(enum.StrEnum):
    S = enum.auto()
    L = enum.auto()


class Right(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Order:
    id: str
    amount: float


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


@dataclasses.dataclass(kw_only=True)
class Basket:
    orders: list[Order]
    colour: Colour
    tags: set[str] = dataclasses.field(default_factory=set)
    total: int = dataclasses.field(init=False, default=3)
    _private: int = 1


@dataclasses.dataclass
class Tree:
    value: int
    branches: list[Tree] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


@attrs.define
class Shelf:
    size: int
    books: list[Order] = attrs.Factory(list)
    at: date = date.min


@attrs.frozen(slots=False)
class Room:
    shelf: Shelf = attrs.Factory(lambda: Shelf(1))
    tags: set[str] = attrs.Factory(set)
    width: float | None = None


class Car(TypedDict):
    name: str
    doors: NotRequired[int]


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Cat(msgspec.Struct, tag=True, frozen=True):
    lives: int = 9


class Dog(msgspec.Struct, tag=True, rename="camel"):
    first_name: str
    friends: list[Cat | Dog] = []


class Compact(msgspec.Struct, array_like=True):
    x: int
    y: int = 2


class Item(pydantic.BaseModel):
    sku: str
    price: Decimal = Decimal(1)
    weight: float | None = None


class Parcel(pydantic.BaseModel):
    """With all that makes round trips of models hard."""

    model_config = pydantic.ConfigDict(
        extra="forbid", strict=True, ser_json_bytes="base64", val_json_bytes="base64"
    )

    id: UUID = pydantic.Field(validation_alias="ID", serialization_alias="Id")
    raw: bytes = b""
    items: list[Item] = []
    labels: set[str] = set()
    inside: Parcel | None = None

    @pydantic.computed_field
    def size(self) -> int:
        return len(self.items)


class Numbers(pydantic.RootModel[list[int]]):
    def __iter__(self) -> Any:
        return iter(self.root)


def shown(value: Any) -> Any:  # noqa: PLR0911 - one line per kind
    """A value with the types of all its parts, hashable; 1, 1.0 and True differ, dicts keep their order."""
    kind = type(value)
    match value:
        case dict():
            return kind, tuple((shown(key), shown(item)) for key, item in value.items())
        case set() | frozenset():
            return kind, frozenset(map(shown, value))
        case list() | tuple():
            return kind, tuple(map(shown, value))
        case datetime() | time():
            return kind, value.isoformat()
        case pydantic.BaseModel():
            return kind, shown(value.__dict__)
        case msgspec.Struct():
            return kind, tuple(shown(getattr(value, name)) for name in value.__struct_fields__)
        case _ if attrs.has(kind):
            return kind, tuple(shown(getattr(value, field.name)) for field in attrs.fields(kind))
        case _ if dataclasses.is_dataclass(value):
            return kind, tuple(shown(getattr(value, field.name)) for field in dataclasses.fields(value))
        case _:
            return kind, repr(value)


@dataclasses.dataclass
class Defaults:
    a: int
    b: int = 2
    c: list[int] = dataclasses.field(default_factory=list)
    d: str = dataclasses.field(default="d", init=False)
    e: int = dataclasses.field(default=5, kw_only=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    a: int = 1


@dataclasses.dataclass(frozen=True)
class Both(Slotted):
    b: int = 2


@dataclasses.dataclass
class Nest:
    box: Box[Defaults]
    many: dict[str, list[Defaults | None]]
    pair: tuple[Row, ...] = ()
    deeper: Nest | None = None


class Row(NamedTuple):
    defaults: Defaults


class Holder(msgspec.Struct):
    defaults: Defaults
    ok: bool = True
