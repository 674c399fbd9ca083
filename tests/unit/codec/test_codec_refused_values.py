"""A value that cannot be stored is refused with one sentence that says where and why."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.codec.refused import (
    Colour,
    Floats,
    Guarded,
    Item,
    Meeting,
    Order,
    Weight,
)

from orquestrax.base.codec import ANY, MAX_PAYLOAD, Codec
from orquestrax.base.codec import codec as codec_module
from orquestrax.base.errors import PayloadError, PayloadTooLarge

LMT = ZoneInfo("Europe/Berlin")


class Waits:
    def __await__(self) -> Iterator[None]:
        yield


NO_NUMBER = "cannot be stored; use None or text, JSON has no such number"
HALF = "cannot be stored; remove it, or pass bytes if it is not text"


@pytest.mark.parametrize(
    ("annotation", "value", "sentence"),
    [
        (int, "x", "here: expected int, got str"),
        (int, 3.0, "here: expected int, got float"),
        (int, True, "here: expected int, got bool"),
        (str | None, math.nan, f"here: NaN {NO_NUMBER}"),
        (None, math.inf, f"here: Infinity {NO_NUMBER}"),
        (Literal["a", None], math.nan, f"here: NaN {NO_NUMBER}"),  # noqa: PYI061 - another shape to msgspec
        (list[Order | None], [Order("1"), math.nan], f"here: NaN at $[1] {NO_NUMBER}"),
        (str, None, "here: expected str, got null"),
        (None, 3, "here: expected null, got int"),
        (list[Order], [Order("1"), Order(2)], "here: expected str, got int at $[1].id"),
        (list[Order], [{}], "here: missing required field id at $[0]"),
        (tuple[int, int], (1,), "here: expected array of length 2"),
        (Colour, "green", "here: invalid enum value 'green'; it must be one of 'red', 'blue'"),
        (Guarded, {"x": -1}, "here: x must not be negative"),
        (list[Path], ["a", 7], "here: expected str, got int at $[1]"),
        (Item, {}, "here: field required at Item.sku"),
        (
            list[Item],
            [{"sku": 7, "weight": "w"}],
            "here: input should be a valid string (and 1 more) at Item.sku of $[0]",
        ),
        (float, math.nan, f"here: NaN {NO_NUMBER}"),
        (float | None, math.nan, f"here: NaN {NO_NUMBER}"),
        (Order, Order("1", math.inf), f"here: Infinity at $.amount {NO_NUMBER}"),
        (Order, Order("1", 1, {"a": 1, "b c": -math.inf}), f"here: -Infinity at $.parts['b c'] {NO_NUMBER}"),
        (Item, Item(sku="a", weight=math.nan), f"here: NaN at $.weight {NO_NUMBER}"),
        (Item, Item(sku="a", more=[(math.nan,)]), f"here: NaN at $.more[0][0] {NO_NUMBER}"),
        (Floats, Floats([1.0, math.nan]), f"here: NaN at $.root[1] {NO_NUMBER}"),
        (dict[float, int], {math.nan: 1}, f"here: a dict's key that is NaN {NO_NUMBER}"),
        (
            list[Decimal],
            [Decimal("sNaN")],
            "here: Decimal('sNaN') at $[0] cannot be stored; use None or text",
        ),
        (Decimal, Decimal("-Infinity"), "here: Decimal('-Infinity') cannot be stored"),
        (dict[float, int], {-math.inf: 1}, f"here: a dict's key that is -Infinity {NO_NUMBER}"),
        (str, "a\0", "here: text with a NUL character cannot be stored; remove it, PostgreSQL stores none"),
        (dict[str, int], {"a\0": 1}, "here: a dict's key that is text with a NUL character cannot be stored"),
        (Item, Item(sku="\\\0"), "here: text with a NUL character at $.sku cannot be stored"),
        (str, "\ud800", f"here: text with half of a surrogate pair {HALF}"),
        (list[Path], [Path("a"), Path("\udcff")], f"here: text with half of a surrogate pair at $[1] {HALF}"),
        (
            datetime,
            datetime(1800, 1, 1, tzinfo=LMT),
            "here: a time whose offset from UTC has seconds (0:53:28)",
        ),
        (
            Meeting,
            Meeting(datetime(1800, 1, 1, tzinfo=LMT)),
            "(0:53:28) at $.at cannot be stored; use astimezone",
        ),
        (
            list[int],
            [1, 10**4300],
            "here: an integer of more than 4300 digits at $[1] cannot be stored; use text",
        ),
        (Any, object(), "here: an object of type `object` cannot be stored; use plain types, a dataclass"),
        (Any, [Waits()], "`Waits` at $[0] cannot be stored; it was not awaited: write `await`, or `.call"),
        (Any, [{"a": (1, {2, Ellipsis})}], "here: an object of type `ellipsis` at $[0].a[1]["),
        (
            Any,
            {"a": {(1, 2): 3}},
            "here: a dict's key of type `tuple` at $.a cannot be stored; use text, numbers",
        ),
        (Any, {None: 3}, "here: a dict's key of type `NoneType` cannot be stored"),
        (Any, Order, "here: an object of type `type` cannot be stored"),
        (Any, {"a": [1, math.nan]}, f"here: NaN at $.a[1] {NO_NUMBER}"),
        (Any, (None, Order("1", math.nan)), f"here: NaN at $[1].amount {NO_NUMBER}"),
        (Any, {math.inf: 1}, f"here: a dict's key that is Infinity {NO_NUMBER}"),
        (object, [math.nan], f"here: NaN at $[0] {NO_NUMBER}"),
        (Any, Weight.LIGHT, None),
    ],
)
def test_a_value_that_cannot_be_stored_is_refused(annotation: Any, value: Any, sentence: str | None) -> None:
    codec: Codec[Any] = Codec(annotation, where="here")
    if sentence is None:
        codec.encode(value)
        return

    with pytest.raises(PayloadError) as refused:
        codec.roundtrip(value)

    assert str(refused.value).startswith(sentence) or sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_value_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)

    for value in (endless, {"a": [endless]}, Item(sku="a", more=endless)):
        with pytest.raises(PayloadError, match=r"^value: the value is nested too deeply, or holds itself$"):
            ANY.encode(value)


@settings(deadline=None)
@given(st.text(), st.text())
def test_text_is_stored_if_and_only_if_postgresql_takes_it(before: str, after: str) -> None:
    for text in (before + after, f"{before}\\u0000{after}"):
        fits = "\0" not in text
        try:
            stored = ANY.roundtrip({text: [text]})[1] == {text: [text]}
        except PayloadError:
            stored = False
        assert stored is fits


def test_a_payload_over_the_limit_is_refused_before_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_args: Any) -> None:
        pytest.fail("a payload that is too large was searched")

    monkeypatch.setattr(codec_module, "find_fault", never)
    codec: Codec[Any] = Codec(str, where="here")
    monkeypatch.setattr(codec, "_decode", never)

    with pytest.raises(
        PayloadTooLarge, match=r"^here: 2,000,001 bytes of JSON are over the limit of 2,000,000; store"
    ):
        codec.encode("x" * (MAX_PAYLOAD - 1))
    for raw in (b'"' + b"x" * MAX_PAYLOAD, '"' + "x" * MAX_PAYLOAD, '"' + "ü" * (MAX_PAYLOAD // 2)):
        with pytest.raises(PayloadTooLarge):
            codec.accept(raw)


def test_a_payload_of_just_the_limit_is_stored() -> None:
    value = "x" * (MAX_PAYLOAD - 2)

    assert len(ANY.accept(ANY.encode(value))) == MAX_PAYLOAD
