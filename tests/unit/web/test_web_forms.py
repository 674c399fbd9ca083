"""Forms from schemas: every value can be typed, every mistake is said at its field, every schema has a form."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestrax.base.errors import PayloadError
from orquestrax.define.signatures import Signature
from orquestrax.web.views.forms.fields import Field, fields_of, find
from orquestrax.web.views.forms.places import place_of
from orquestrax.web.views.forms.shape import ROOT, Shape, shape_of
from orquestrax.web.views.forms.typed import (
    LEFT_OUT,
    defaults,
    length,
    value_of,
    with_item,
    without_item,
    written,
)


class Speed(enum.Enum):
    """Choices."""

    NORMAL = "normal"
    EXPRESS = "express"


@dataclass
class Item:
    """Nested."""

    name: str
    count: int = 1


@dataclass
class Order:
    """One of each kind."""

    id: str
    amount: float
    pieces: int
    gift: bool
    speed: Speed
    kind: Literal["a", "b"]
    on: dt.date
    at: dt.datetime
    when: dt.time
    items: list[Item]
    extra: dict[str, int]
    note: str = "none"
    limit: int | None = None
    first: Item | None = None
    tags: list[str] = field(default_factory=list)


def of_one(order: Order) -> None: ...


def of_two(order: Order, urgent: bool = False, comment: str | None = None) -> None: ...


def of_none() -> None: ...


ONE, TWO = (Signature(fn, where="workflow 'fulfil'") for fn in (of_one, of_two))


def shape(signature: Signature) -> Shape:
    found = shape_of(signature.input_schema())
    assert found is not None
    return found


orders = st.builds(
    Order,
    id=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
    amount=st.floats(allow_nan=False, allow_infinity=False),
    pieces=st.integers(-(2**63), 2**63 - 1),
    gift=st.booleans(),
    speed=st.sampled_from(Speed),
    kind=st.sampled_from(["a", "b"]),
    on=st.dates(),
    at=st.datetimes(timezones=st.just(dt.UTC)),
    when=st.times(),
    items=st.lists(st.builds(Item, name=st.text("ab", min_size=1), count=st.integers(0, 9)), max_size=3),
    extra=st.dictionaries(st.text("xyz"), st.integers(0, 9), max_size=2),
    note=st.text("no", max_size=3),
    limit=st.none() | st.integers(0, 9),
    first=st.none() | st.builds(Item, name=st.just("a"), count=st.just(2)),
    tags=st.lists(st.text("ab", min_size=1), max_size=3),
)


@given(orders)
def test_every_value_can_be_typed(order: Order) -> None:
    plain = msgspec.to_builtins(order)
    typed = written(shape(ONE), plain)
    assert all(isinstance(text, str) for text in typed.values())
    value, problems = value_of(shape(ONE), typed)
    assert problems == {}
    assert ONE.decode_input(msgspec.json.encode(value)) == ONE.encode((order,), {})


@given(
    st.dictionaries(
        st.sampled_from([*defaults(shape(ONE)), f"{ROOT}.amount", f"{ROOT}.items.#", f"{ROOT}.extra"]),
        st.text(),
    )
)
def test_whatever_is_typed_gives_a_value_or_problems_at_fields(typed: dict[str, str]) -> None:
    value, problems = value_of(shape(ONE), typed)
    assert isinstance(value, dict)
    for path, sentence in problems.items():
        assert find(shape(ONE), path) is not None
        assert sentence
        assert "\n" not in sentence


def test_kinds_follow_the_schema() -> None:
    kinds = {name: part.kind for name, part in shape(ONE).parts.items()}
    assert kinds == {
        "id": "text", "amount": "number", "pieces": "integer", "gift": "boolean", "speed": "choice", "kind": "choice",
        "on": "date", "at": "datetime", "when": "time", "items": "list", "extra": "json", "note": "text",
        "limit": "integer", "first": "json", "tags": "list",
    }  # fmt: skip
    assert shape(ONE).parts["limit"].nullable
    assert not shape(ONE).parts["note"].required
    assert shape_of(Signature(of_none, where="workflow 'none'").input_schema()) is None


def test_an_untouched_form_has_the_defaults_and_says_what_is_missing() -> None:
    typed = defaults(shape(TWO))
    assert typed[f"{ROOT}.order.note"] == "none"
    value, problems = value_of(shape(TWO), typed)
    assert value["urgent"] is False
    assert value["order"]["tags"] == []
    assert problems[f"{ROOT}.order.id"] == "it must be given"
    assert set(problems) == {
        f"{ROOT}.order.{name}"
        for name in ("id", "amount", "pieces", "speed", "kind", "on", "at", "when", "extra")
    }


def test_a_choice_without_a_default_is_not_taken_silently() -> None:
    _, problems = value_of(shape(ONE), {f"{ROOT}.speed": ""})
    assert problems[f"{ROOT}.speed"] == "it must be given"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("amount", "much", "it must be a number"),
        ("amount", "NaN", "it must be a number"),
        ("amount", "true", "it must be a number"),
        ("pieces", "1.5", "it must be a whole number"),
        ("pieces", "\N{FULLWIDTH DIGIT ONE}", "it must be a whole number"),
        ("pieces", "1_000", "it must be a whole number"),
        ("extra", "{", "it must be JSON"),
    ],
)
def test_a_wrong_text_is_said_at_its_field(name: str, text: str, sentence: str) -> None:
    _, problems = value_of(shape(ONE), {f"{ROOT}.{name}": text})
    assert problems[f"{ROOT}.{name}"] == sentence


def test_browsers_leave_out_seconds_and_zones() -> None:
    value, _ = value_of(shape(ONE), {f"{ROOT}.at": "2026-11-22T20:31", f"{ROOT}.when": "20:31"})
    assert (value["at"], value["when"]) == ("2026-11-22T20:31:00Z", "20:31:00")


@given(st.lists(st.text("ab", min_size=1), min_size=1, max_size=12), st.data())
def test_items_come_and_go(tags: list[str], data: st.DataObject) -> None:
    of, path = shape(ONE), f"{ROOT}.tags"
    typed = written(of.parts["tags"], tags, path)
    place = data.draw(st.integers(0, len(tags) - 1))
    fewer = without_item(typed, path, place)
    assert value_of(of, fewer)[0]["tags"] == [*tags[:place], *tags[place + 1 :]]
    more = with_item(typed, path, of.parts["tags"].item)
    assert length(more, path) == len(tags) + 1
    assert length({f"{path}.#": "9" * 9}, path) == 200
    assert length({f"{path}.#": "-1"}, path) == 0


def fields(root: Field) -> list[Field]:
    return [root, *(below for part in root.fields for below in fields(part))]


def test_fields_carry_texts_and_problems() -> None:
    typed = {f"{ROOT}.items.#": "2", f"{ROOT}.items.1.name": "tea"}
    found = {
        f.name: f for f in fields(fields_of(shape(ONE), typed, {f"{ROOT}.items.0.name": "it must be given"}))
    }
    assert found[f"{ROOT}.items.1.name"].text == "tea"
    assert found[f"{ROOT}.items.0.name"].problem == "it must be given"


VALID: dict[str, Any] = {
    "id": "1", "amount": 1.5, "pieces": 1, "gift": False, "speed": "normal", "kind": "a", "on": "2026-01-01",
    "at": "2026-01-01T00:00:00Z", "when": "10:00:00", "items": [{"name": "tea"}], "extra": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "path", "sentence"),
    [
        ({"on": "soon"}, "on", "invalid RFC3339 encoded date"),
        ({"items": [{"name": "tea"}, {"name": 3}]}, "items.1.name", "expected str, got int"),
        ({"speed": "slow"}, "speed", "invalid enum value 'slow'; it must be one of 'normal', 'express'"),
    ],
)
@pytest.mark.parametrize("signature", [ONE, TWO], ids=["one", "two"])
def test_errors_of_the_engine_find_their_field(
    signature: Signature, change: dict[str, Any], path: str, sentence: str
) -> None:
    single = signature is ONE
    given_value = VALID | change if single else {"order": VALID | change}
    with pytest.raises(PayloadError) as caught:
        signature.decode_input(msgspec.json.encode(given_value))
    found, said = place_of(str(caught.value), shape(signature), single=single)
    assert found == (f"{ROOT}.{path}" if single else f"{ROOT}.order.{path}")
    assert said == sentence


def test_what_is_missing_is_said_where_it_is_missing() -> None:
    with pytest.raises(PayloadError) as caught:
        ONE.decode_input(msgspec.json.encode({k: v for k, v in VALID.items() if k != "pieces"}))
    assert place_of(str(caught.value), shape(ONE), single=True) == (f"{ROOT}.pieces", "it must be given")
    with pytest.raises(PayloadError) as caught:
        TWO.decode_input(b"{}")
    assert place_of(str(caught.value), shape(TWO), single=False)[0] == ""


schemas = st.recursive(
    st.sampled_from(["string", "integer", "number", "boolean", "null", "odd"]).map(
        lambda kind: {"type": kind}
    )
    | st.just({})
    | st.just({"enum": [1, "a", None]})
    | st.just({"$ref": "#/$defs/Self"}),
    lambda inner: st.one_of(
        inner.map(lambda item: {"type": "array", "items": item}),
        st.dictionaries(st.sampled_from("abc"), inner).map(
            lambda parts: {"type": "object", "properties": parts}
        ),
        st.lists(inner, max_size=3).map(lambda some: {"anyOf": some}),
    ),
)


@given(schemas, schemas)
def test_every_schema_has_a_form(schema: dict[str, Any], inner: dict[str, Any]) -> None:
    """Also one that refers to itself: fields end at some depth, in JSON."""
    found = shape_of({**schema, "$defs": {"Self": inner}, "title": "x"})
    if found is not None:
        typed = defaults(found)
        fields(fields_of(found, typed, {}))
        value, problems = value_of(found, typed)
        assert value is LEFT_OUT or problems or msgspec.json.encode(value)
