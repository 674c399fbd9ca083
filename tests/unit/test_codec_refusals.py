"""What cannot be stored is refused with one sentence: types when declared, values and JSON when used."""

from __future__ import annotations

import collections
import dataclasses
import enum
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pydantic
import pydantic.dataclasses
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestrax.base.codec import ANY, MAX_PAYLOAD, Codec
from orquestrax.base.codec import codec as codec_module
from orquestrax.base.errors import DefinitionError, PayloadError, PayloadTooLarge

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

TEXT_UNION = (
    " mixes types that are all text in JSON and cannot be told apart; use one of them, or a dataclass "
)
OBJECT_UNION = (
    " mixes types that are all objects in JSON and cannot be told apart; make them Structs of msgspec "
)


@pytest.mark.parametrize(
    ("annotation", "sentence"),
    [
        (str | bytes, f"here: `str | bytes`{TEXT_UNION}with a field for each"),
        (list[str | datetime], f"here: `str | datetime.datetime`{TEXT_UNION}with a field for each"),
        (Decimal | UUID, TEXT_UNION),
        (Order | Refund, OBJECT_UNION),
        (Order | dict[str, int], OBJECT_UNION),
        (Untagged | Other, "mixes Structs that cannot be told apart in JSON; declare each with `tag=True`"),
        (list[int] | set[int], "are all arrays in JSON and cannot be told apart; use one of them"),
        (int | enum.IntEnum("Level", {"LOW": 1}), "are all integers in JSON and cannot be told apart"),
        (Path | str, "has a path or a pydantic model beside another type, which JSON cannot tell apart"),
        (Item | int, "use it alone or with None, or one pydantic model that holds the union"),
        (Weight, "has members that are neither all text nor all integers; give it such values"),
        (Literal[Colour.RED], "may hold only None, booleans, integers and text; use the enum itself"),
        (WithInitVar, "a dataclass with an InitVar cannot be rebuilt from JSON; make it an ordinary field"),
        (Checked, "`Checked` is a pydantic dataclass; make it a pydantic model or a plain dataclass"),
        (Shelf, "here: `Shelf` has the private field _size, which attrs hides; make it public"),
        (OldModel, "`OldModel` is a model of an old pydantic; use pydantic 2.11 or newer"),
        (Dangling, "a field's hint names 'Fraction', which is not defined in its module; import it there"),
        (
            complex,
            "here: values of `complex` have no form in JSON; use plain types, a dataclass, a TypedDict",
        ),
        (list[Callable[[int], int]], "values of `Callable` have no form in JSON"),
        (Iterator[int], "values of `Iterator` have no form in JSON"),
        (collections.deque[int], "values of `deque` have no form in JSON"),
        (dict[int | str, int], "a dict's keys must be of one type that is text or a number in JSON"),
        (dict[str | None, int], "use a list of pairs for other keys"),
        (dict[tuple[int, int], int], "use a list of pairs for other keys"),
        (dict[bool, int], "use a list of pairs for other keys"),
        (dict[Path, int], "use a list of pairs for other keys"),
        (dict[Literal["a", 1], int], "use a list of pairs for other keys"),
        (msgspec.Raw, "msgspec.Raw and msgspec.msgpack.Ext are not JSON values; use Any"),
        (5, "here: a type that cannot be stored as JSON: type '5' is not supported"),
    ],
    ids=str,
)
def test_a_type_that_cannot_work_is_refused_when_it_is_declared(annotation: Any, sentence: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        Codec(annotation, where="here")

    assert str(refused.value).startswith("here: ")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


LMT = ZoneInfo("Europe/Berlin")
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


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "here: not valid JSON: expecting value at line 1, column 1"),
        (b'[{"id":"1"},\n x]', "here: not valid JSON: expecting value at line 2, column 2"),
        (b'[{"id":"1"}', "here: not valid JSON: expecting ',' delimiter at line 1, column 12"),
        (b'[{"id":"1"}] x', "here: not valid JSON: extra data at line 1, column 14"),
        (b'[{"id":"1","amount":NaN}]', "here: not valid JSON: NaN is not a JSON number; use null or text"),
        (b'[{"id":"1","amount":1e400}]', "here: number out of range at $[0].amount"),
        (b'[{"id":"\\ud800"}]', "here: the JSON holds half of a surrogate pair, which is no character"),
        (
            '[{"id":"\ud800"}]',
            "here: the JSON holds half of a surrogate pair at position 8, which is no character",
        ),
        (b'[{"id":"\xff"}]', "here: the JSON is not UTF-8 at byte 0"),
        (b'{"id":"1"}', "here: expected array, got object"),
        (b'[{"id":"1","parts":{"a":"b"}}]', "here: expected float | null, got str at $[0].parts[...]"),
    ],
)
def test_json_that_does_not_fit_is_refused_with_the_place(raw: bytes | str, sentence: str) -> None:
    with pytest.raises(PayloadError) as refused:
        Codec(list[Order], where="here").decode(raw)

    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (
            '{"colours":["red","x"],"sizes":{}}',
            "invalid enum value 'x' at $.colours[1]; it must be one of 'red', 'blue'",
        ),
        (
            '{"colours":[],"sizes":{"a":"x"}}',
            "invalid enum value 'x' at $.sizes[...]; it must be one of 'L', 'S'",
        ),
    ],
)
def test_a_wrong_choice_is_told_the_right_ones(raw: str, sentence: str) -> None:
    with pytest.raises(PayloadError) as refused:
        Codec(Shirt, where="here").decode(raw)

    assert str(refused.value) == f"here: {sentence}"


def test_json_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(PayloadError, match=r"^value: the JSON is nested too deeply$"):
        ANY.decode(b"[" * 100_000)


def test_wrong_dict_keys_are_named_as_such() -> None:
    with pytest.raises(PayloadError, match=r"^here: expected int, got str at key in \$$"):
        Codec(dict[int, int], where="here").decode('{"a":1}')


def test_what_json_from_outside_may_not_hold_is_refused_at_the_door() -> None:
    with pytest.raises(PayloadError, match=r"^value: text with a NUL character at \$\[0\] cannot be stored"):
        ANY.accept('["\\u0000"]')
    assert ANY.accept(' {"b": 1.0, "a": [ ] } ') == b'{"b":1.0,"a":[]}'


def test_an_offset_of_whole_minutes_is_kept() -> None:
    meeting = Meeting(
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))), time(1, tzinfo=UTC)
    )

    seen = Codec(Meeting, where="here").roundtrip(meeting)[1]

    assert (seen.at.isoformat(), seen.until) == ("2024-01-01T00:00:00+05:45", time(1, tzinfo=UTC))
