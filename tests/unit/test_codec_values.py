"""What a type takes comes back as it was: each kind of type by example, random types with random values."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NoReturn,
    NotRequired,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import attrs
import jsonschema_rs
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orquestrax.base.codec import ANY, Codec

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


ID = UUID("01a204eb-4ce9-718e-a0e2-1981fcd0581d")
PARCEL = Parcel(ID=ID, raw=b"\xff\0", items=[Item(sku="a"), Item(sku="b", weight=0.5)], labels={"x", "y"})
BERLIN = timezone(timedelta(hours=1))

EXAMPLES = [
    (None, None),
    (NoReturn, None),
    (bool, True),
    (int, 2**63),
    (int, -(2**64) - 1),
    (int, 10**4299),
    (float, 1e22),
    (float, -0.0),
    (float, 5e-324),
    (str, "große 注文 😀 \\u0000 \x7f \u2028"),
    (bytes, b"\0\xff\xfe"),
    (bytearray, bytearray(b"\0a")),
    (list, [1, "a", None]),
    (list[int], [2**70, 1]),
    (tuple[int, ...], (3, 1)),
    (tuple[int, str], (1, "a")),
    (tuple[()], ()),
    (set[str], {"b", "a"}),
    (frozenset[int], frozenset({3, 1})),
    (set[frozenset[int]], {frozenset({1}), frozenset({2, 3})}),
    (dict, {"b": 1, "a": {"c": 0.5}}),
    (dict[str, int], {"b": 1, "a": 2}),
    (dict[int, str], {10: "a", 9: "b"}),
    (dict[float, int], {0.1: 1, 1e22: 2}),
    (dict[date, int], {date(2024, 2, 29): 1}),
    (dict[Colour, int], {Colour.BLUE: 1, Colour.RED: 2}),
    (dict[Level, int], {Level.HIGH: 1}),
    (dict[UUID, int], {ID: 1}),
    (dict[Decimal, int], {Decimal("1.10"): 1}),
    (dict[bytes, int], {b"\xff": 1}),
    (dict[Literal["a", "b"], int], {"b": 1}),
    (Sequence[int], [1, 2]),
    (Mapping[str, int], {"a": 1}),
    (AbstractSet[int], {1, 2}),
    (Car, {"name": "a", "doors": 3}),
    (Car, {"name": "a"}),
    (Pair, Pair(1, "a")),
    (Order, Order("1", 0.5)),
    (Point, Point(1, 2)),
    (Basket, Basket(orders=[Order("1", 2.5)], colour=Colour.RED, tags={"a"}, _private=5)),
    (Room, Room(Shelf(3, [Order("1", 0.5)]), {"b", "a"}, 0.5)),
    (Tree, Tree(1, [Tree(2), Tree(3, [Tree(4)])])),
    (Box[int], Box(1)),
    (Box[list[Order]], Box([Order("1", 0.5)])),
    (Cat | Dog, Dog("rex", [Cat(3), Dog("max")])),
    (Compact, Compact(1)),
    (Item, Item(sku="a", price=Decimal("1.10"))),
    (Parcel, PARCEL),
    (list[Parcel | None], [PARCEL, None, Parcel(ID=ID, inside=PARCEL)]),
    (Numbers, Numbers([1, 2**70])),
    (Colour, Colour.RED),
    (Level, Level.HIGH),
    (Size, Size.L),
    (Right, Right.READ | Right.WRITE),
    (datetime, datetime(2024, 1, 1, 12, 30, 15, 123456)),  # noqa: DTZ001 - naive ones are values too
    (datetime, datetime(2024, 1, 1, tzinfo=BERLIN)),
    (datetime, datetime.max.replace(tzinfo=UTC)),
    (date, date.min),
    (time, time(23, 59, 59, 999999)),
    (time, time(1, 2, tzinfo=BERLIN)),
    (timedelta, timedelta.max),
    (timedelta, timedelta.min),
    (timedelta, timedelta(microseconds=-1)),
    (Decimal, Decimal("1.10")),
    (Decimal, Decimal("-1E+1000")),
    (Path, Path("/a/ü b")),
    (PurePosixPath, PurePosixPath("a/b")),
    (Path | None, None),
    (Literal["a", 1], "a"),
    (int | None, None),
    (int | str | None, "1"),
    (int | float, 1.0),
    (int | list[int] | dict[str, int], {"a": 1}),
    (Annotated[int, msgspec.Meta(gt=3, description="more")], 4),
    (Sku, "sku-1"),
    (Any, {"a": [1, 2.5, None, True, "x", 2**70]}),
    (object, ["a", {"b": 1}]),
    (list[object], [1, None, {"a": [2]}]),
    (T, "a type variable"),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value"), EXAMPLES, ids=lambda part: repr(part)[:60])
def test_a_value_of_each_kind_comes_back_as_it_was(annotation: Any, value: Any) -> None:
    codec: Codec[Any] = Codec(annotation, where="here")

    raw, seen = codec.roundtrip(value)

    assert shown(seen) == shown(value)
    assert shown(codec.decode(raw)) == shown(codec.decode(raw.decode())) == shown(value)
    assert codec.encode(value) == raw
    assert shown(codec.decode(codec.accept(raw))) == shown(value)
    jsonschema_rs.validator_for(codec.schema()).validate(json.loads(raw))


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


ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
KEYS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers()),
    (int, st.integers(-(2**200), 2**200)),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (str, TEXT),
    (bytes, st.binary(max_size=8)),
    (datetime, st.datetimes(timezones=st.none() | ZONES)),
    (date, st.dates()),
    (timedelta, st.timedeltas()),
    (UUID, st.uuids()),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (Colour, st.sampled_from(Colour)),
    (Level, st.sampled_from(Level)),
    (Literal["a", "b"], st.sampled_from("ab")),
]
HASHABLE = [
    *KEYS,
    (None, st.none()),
    (bool, st.booleans()),
    (time, st.times(timezones=st.none() | ZONES)),
    (Path, TEXT.map(Path)),
    (int | str | None, st.integers() | TEXT | st.none()),
    (Point, st.builds(Point, st.integers(), st.integers())),
    (Pair, st.builds(Pair, st.integers(), TEXT)),
    (Cat, st.builds(Cat, st.integers())),
    (tuple[Size, frozenset[str]], st.tuples(st.sampled_from(Size), st.frozensets(TEXT, max_size=3))),
]
OTHER = [
    (Any, JSON),
    (Car, st.fixed_dictionaries({"name": TEXT}, optional={"doors": st.integers()})),
    (Item, st.builds(Item, sku=TEXT, price=st.decimals(0, 9, places=2), weight=st.none() | st.floats(0, 1))),
    (dict[Level, set[Decimal]], st.just({Level.LOW: {Decimal(1), Decimal(2)}})),
]
Typed = tuple[Any, st.SearchStrategy[Any]]


def extended(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    def over(make: Any) -> st.SearchStrategy[Typed]:
        return inner.map(lambda typed: make(*typed))

    def dataclass_of(fields: list[Typed]) -> Typed:
        names = [f"field_{number}" for number in range(len(fields))]
        made = dataclasses.make_dataclass("Made", list(zip(names, [a for a, _ in fields], strict=True)))
        return made, st.builds(made, *(values for _, values in fields))

    return st.one_of(
        over(lambda a, v: (list[a], st.lists(v, max_size=3))),
        over(lambda a, v: (tuple[a, ...], st.lists(v, max_size=3).map(tuple))),
        over(lambda a, v: (tuple[a, int], st.tuples(v, st.integers()))),
        over(lambda a, v: (Union[a, None], st.none() | v)),  # noqa: UP007 - `a` may be None itself
        over(lambda a, v: (Annotated[a, msgspec.Meta(title="t")], v)),
        over(lambda a, v: (Box[a], st.builds(Box, v))),
        st.tuples(st.sampled_from(KEYS), inner).map(
            lambda pair: (dict[pair[0][0], pair[1][0]], st.dictionaries(pair[0][1], pair[1][1], max_size=3))
        ),
        st.sampled_from(HASHABLE).map(lambda typed: (set[typed[0]], st.sets(typed[1], max_size=4))),
        st.lists(inner, max_size=3).map(dataclass_of),
    )


TYPES: st.SearchStrategy[Typed] = st.recursive(st.sampled_from(HASHABLE + OTHER), extended, max_leaves=4)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_random_values_of_random_types_come_back_as_they_were(data: st.DataObject) -> None:
    annotation, values = data.draw(TYPES)
    codec: Codec[Any] = Codec(annotation, where="here")
    value = data.draw(values)

    raw, seen = codec.roundtrip(value)
    again, seen_again = codec.roundtrip(seen)

    assert shown(seen) == shown(value) == shown(seen_again)
    assert codec.canonical(seen) == codec.canonical(seen_again)
    assert again == raw or "set'>" in repr(shown(value)), "only sets may change their order"
    jsonschema_rs.validator_for(codec.schema()).validate(json.loads(raw))


@given(JSON)
def test_plain_json_passes_any_unchanged(value: Any) -> None:
    assert shown(ANY.roundtrip(value)[1]) == shown(value)


def test_under_any_plain_json_comes_back() -> None:
    given = {
        "order": Order("1", 0.5),
        "car": (1, {2}),
        "when": datetime(2024, 1, 1, tzinfo=UTC),
        "colour": Colour.RED,
        "raw": b"\0",
        "path": Path("a"),
        "item": Item(sku="a"),
        "pair": Pair(1),
        "cost": Decimal("1.10"),
        7: None,
    }

    assert ANY.roundtrip(given)[1] == {
        "order": {"id": "1", "amount": 0.5},
        "car": [1, [2]],
        "when": "2024-01-01T00:00:00Z",
        "colour": "red",
        "raw": "AA==",
        "path": "a",
        "item": {"sku": "a", "price": "1", "weight": None},
        "pair": [1, "r"],
        "cost": "1.10",
        "7": None,
    }


def test_the_value_is_seen_as_its_type_says() -> None:
    assert shown(Codec(float, where="here").roundtrip(3)[1]) == shown(3.0)
    assert shown(Codec(tuple[int, ...], where="here").roundtrip([3])[1]) == shown((3,))
    assert shown(Codec(Order, where="here").roundtrip({"id": "1", "amount": 1})[1]) == shown(Order("1", 1.0))
    assert Codec(Car, where="here").roundtrip({"name": "a", "colour": "red"})[1] == {"name": "a"}


def test_a_dict_keeps_the_order_it_was_given() -> None:
    raw, seen = ANY.roundtrip({"b": 1, "a": 2})

    assert raw == b'{"b":1,"a":2}'
    assert list(seen) == ["b", "a"]


def test_subclasses_of_text_and_numbers_are_stored_without_what_they_add() -> None:
    class Text(str):
        __slots__ = ()

    class Whole(int): ...

    class Real(float): ...

    assert shown(Codec(str, where="here").roundtrip(Text("a"))[1]) == shown("a")
    assert shown(Codec(int, where="here").roundtrip(Whole(3))[1]) == shown(3)
    assert shown(Codec(float, where="here").roundtrip(Real(1.5))[1]) == shown(1.5)


def test_a_model_is_read_by_alias_and_by_name() -> None:
    codec = Codec(Parcel, where="here")

    assert codec.decode(f'{{"ID":"{ID}"}}') == codec.decode(f'{{"id":"{ID}"}}') == Parcel(ID=ID)


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


FULL = {"a": 1, "b": 2, "c": [], "e": 5, "d": "d"}


@pytest.mark.parametrize(
    ("annotation", "sparse", "full"),
    [
        (Defaults, {"a": 1}, FULL),
        (Defaults, {"a": 1, "b": 7}, FULL | {"b": 7}),
        (Both, {}, {"a": 1, "b": 2}),
        (set[Both], [{}], [{"a": 1, "b": 2}]),
        (Holder, {"defaults": {"a": 1}}, {"defaults": FULL, "ok": True}),
        (
            Nest,
            {
                "box": {"content": {"a": 1}},
                "many": {"x": [{"a": 1}, None]},
                "deeper": {"box": {"content": {"a": 1}}, "many": {}, "pair": [[{"a": 1}]]},
            },
            {
                "box": {"content": FULL},
                "many": {"x": [FULL, None]},
                "pair": [],
                "deeper": {"box": {"content": FULL}, "many": {}, "pair": [[FULL]], "deeper": None},
            },
        ),
    ],
)
def test_defaults_that_were_left_out_are_stored(annotation: Any, sparse: Any, full: Any) -> None:
    codec: Codec[Any] = Codec(annotation, where="here")

    seen = codec.decode(json.dumps(sparse))

    assert json.loads(codec.encode(seen)) == json.loads(codec.accept(json.dumps(sparse))) == full
    assert codec.canonical(seen) == codec.canonical(codec.decode(codec.encode(seen)))


def test_a_default_that_init_does_not_set_is_seen_and_stored_by_the_next() -> None:
    codec = Codec(Defaults, where="here")

    raw, seen = codec.roundtrip(Defaults(1))

    assert seen == Defaults(1)
    assert json.loads(codec.encode(seen)) == FULL
    assert codec.decode(raw) == seen
