"""What a type takes comes back as it was: random values of random types."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
)
from uuid import UUID

import jsonschema_rs
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.codec.kinds import (
    Box,
    Car,
    Cat,
    Colour,
    Item,
    Level,
    Pair,
    Point,
    Size,
    shown,
)

from orquestrax.base.codec import ANY, Codec

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


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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


@settings(deadline=None)
@given(JSON)
def test_plain_json_passes_any_unchanged(value: Any) -> None:
    assert shown(ANY.roundtrip(value)[1]) == shown(value)
