"""What a type takes comes back as it was: each kind of type by example."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import (
    Annotated,
    Any,
    Literal,
    NoReturn,
)
from uuid import UUID

import jsonschema_rs
import msgspec
import pytest
from tests.unit.codec.kinds import (
    Basket,
    Box,
    Car,
    Cat,
    Colour,
    Compact,
    Dog,
    Item,
    Level,
    Numbers,
    Order,
    Pair,
    Parcel,
    Point,
    Right,
    Room,
    Shelf,
    Size,
    Sku,
    T,
    Tree,
    shown,
)

from orquestrax.base.codec import ANY, Codec

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


@pytest.mark.parametrize(("annotation", "value"), EXAMPLES)
def test_a_value_of_each_kind_comes_back_as_it_was(annotation: Any, value: Any) -> None:
    codec: Codec[Any] = Codec(annotation, where="here")

    raw, seen = codec.roundtrip(value)

    assert shown(seen) == shown(value)
    assert shown(codec.decode(raw)) == shown(codec.decode(raw.decode())) == shown(value)
    assert codec.encode(value) == raw
    assert shown(codec.decode(codec.accept(raw))) == shown(value)
    jsonschema_rs.validator_for(codec.schema()).validate(json.loads(raw))


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
