"""Classes of which some cannot be stored, some only with the right values."""

from __future__ import annotations

import dataclasses
import enum
from datetime import datetime, time
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import attrs
import msgspec
import pydantic
import pydantic.dataclasses

if TYPE_CHECKING:
    from fractions import Fraction


@dataclasses.dataclass
class Order:
    id: str
    amount: float = 0.0
    parts: dict[str, float | None] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Refund:
    id: str


@dataclasses.dataclass
class Dangling:
    x: Fraction


@dataclasses.dataclass
class WithInitVar:
    x: dataclasses.InitVar[int]


@dataclasses.dataclass
class Guarded:
    x: int

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x must not be negative")


@dataclasses.dataclass(eq=False)
class Meeting:
    at: datetime
    until: time | None = None


class Untagged(msgspec.Struct):
    x: int


class Other(msgspec.Struct):
    y: int


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Weight(enum.Enum):
    LIGHT = 0.5


class Shirt(TypedDict):
    colours: list[Colour]
    sizes: dict[str, Literal["S", "L"] | None]


class Item(pydantic.BaseModel):
    sku: str
    weight: float | None = None
    more: Any = None


class Floats(pydantic.RootModel[list[float | None]]):
    def __iter__(self) -> Any:
        return iter(self.root)


@attrs.define
class Shelf:
    _size: int = 1


@pydantic.dataclasses.dataclass
class Checked:
    x: int


class OldModel:
    """As pydantic 2.0 to 2.10 have them."""

    @classmethod
    def model_validate_json(cls, data: bytes) -> None: ...


OldModel.__name__ = "BaseModel"
OldModel.__module__ = "pydantic.main"
