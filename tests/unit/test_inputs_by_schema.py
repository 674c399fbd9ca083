"""Input without the code at hand is what it is with the code: same bytes, same digest, same refusals."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field, make_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestrax import PayloadError, PayloadTooLarge
from orquestrax.client.inputs import encode_by_schema
from orquestrax.core.store.clientverbs import DefinitionView
from orquestrax.define.signatures import Signature


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Line:
    article: str
    amount: float = 1.0
    tags: list[str] = field(default_factory=list)


@dataclass
class Order:
    id: str
    lines: list[Line]
    due: dt.datetime | None = None
    colour: Colour = Colour.RED


class Cat(msgspec.Struct, tag=True):
    lives: int = 9


class Dog(msgspec.Struct, tag=True):
    name: str


@dataclass
class Tree:
    value: int
    below: list[Tree] = field(default_factory=list)


def definition(signature: Signature) -> DefinitionView:
    schema = msgspec.json.encode(signature.input_schema()).decode()
    texts = dict.fromkeys(("version", "output_schema", "doc", "file", "source"), "")
    return DefinitionView(
        name="work", digest="", input_schema=schema, line=1, registered_at=0, served=False, **texts
    )


def agree(signature: Signature, raw: bytes | None) -> bytes:
    encoded = signature.decode_input(raw)
    assert encode_by_schema(definition(signature), raw) == (encoded, signature.digest(encoded))
    return encoded


def of(*hints: Any) -> Signature:
    """The signature of a function with these hints."""

    def work() -> None: ...

    work.__annotations__ = {}
    parameters = ", ".join(f"p{i}: hints[{i}]" for i in range(len(hints)))
    scope: dict[str, Any] = {"hints": hints}
    exec(f"def work({parameters}) -> None: ...", scope)
    return Signature(scope["work"], where="work")


LEAVES = {
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000),
    str: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
    bool: st.booleans(),
    None: st.none(),
    Colour: st.sampled_from(["red", "blue"]),
    Literal["a", 1]: st.sampled_from(["a", 1]),
    UUID: st.uuids().map(lambda u: str(u).upper()),
    dt.date: st.dates().map(str),
    dt.datetime: st.datetimes(timezones=st.just(dt.UTC)).map(dt.datetime.isoformat),
    Decimal: st.decimals(-1000, 1000, places=2).map(str),
    Path: st.sampled_from(["/tmp/x", "a/../b"]),
    bytes: st.sampled_from(["", "aGVsbG8="]),
    dt.timedelta: st.sampled_from(["PT1S", "P1DT2H", "PT90M"]),
    Any: st.recursive(
        st.none() | st.booleans() | st.text("ab", max_size=3), lambda x: st.lists(x, max_size=2)
    ),
}
Typed = tuple[Any, st.SearchStrategy[Any]]


def grown(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        inner.map(lambda t: (list[t[0]], st.lists(t[1], max_size=3))),
        inner.map(lambda t: (dict[str, t[0]], st.dictionaries(st.text("zab", max_size=2), t[1], max_size=3))),
        inner.map(lambda t: (t[0] | None if t[0] not in (None, Any) else t[0], t[1] | st.none())),
        st.lists(inner, min_size=1, max_size=3).map(record),
        st.tuples(inner, inner).map(
            lambda two: (tuple[two[0][0], two[1][0]], st.tuples(two[0][1], two[1][1]))
        ),
    )


def record(parts: list[Typed]) -> Typed:
    """A dataclass whose fields are not in the order of the alphabet; the value may hold more than it."""
    names = ["zeta", "alpha", "mid"][: len(parts)]
    made = make_dataclass("Made", [(name, part[0]) for name, part in zip(names, parts, strict=True)])
    values = {name: part[1] for name, part in zip(names, parts, strict=True)}
    return made, st.fixed_dictionaries(values, optional={"unknown": st.just(1)})


TYPES = st.recursive(st.sampled_from(list(LEAVES.items())), grown, max_leaves=5)


@given(st.data())
def test_agrees_with_the_code(data: st.DataObject) -> None:
    parts = data.draw(st.lists(TYPES, min_size=1, max_size=3))
    signature = of(*(hint for hint, _ in parts))
    values = [data.draw(strategy) for _, strategy in parts]
    raw: Any = values[0] if len(values) == 1 else values
    if len(values) > 1 and data.draw(st.booleans()):
        raw = dict(reversed([(f"p{i}", value) for i, value in enumerate(values)]))
    agree(signature, msgspec.json.encode(raw))


async def fulfil(order: Order, note: str = "-", *, limit: int = 3, by: Line | None = None) -> None: ...
async def nothing() -> None: ...
async def pet(animal: Cat | Dog) -> None: ...
async def plant(tree: Tree) -> None: ...
async def labels(names: set[str] = frozenset()) -> None: ...  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("fn", "raw", "stored"),
    [
        (
            fulfil,
            b'{"order": {"lines": [{"article": "x", "amount": 2}], "id": "7"}}',
            b'[{"id":"7","lines":[{"article":"x","amount":2.0,"tags":[]}],"due":null,"colour":"red"},"-",3,null]',
        ),
        (nothing, None, b"[]"),
        (nothing, b"{}", b"[]"),
        (pet, b'{"lives": 3, "type": "Cat"}', b'[{"type":"Cat","lives":3}]'),
        (plant, b'{"value": 1, "below": [{"value": 2}]}', None),
        (labels, None, b"[[]]"),
        (labels, b'["b", "a", "b"]', None),
    ],
)
def test_examples(fn: Any, raw: bytes | None, stored: bytes | None) -> None:
    if fn is plant:  # below the first level a type that holds itself is plain JSON, without its defaults
        signature = Signature(fn, where="work")
        assert b'"value":2' in encode_by_schema(definition(signature), raw)[0]
        return
    if fn is labels and raw is not None:  # a set is written in any order: equal digests are what counts
        signature = Signature(fn, where="work")
        encoded, digest = encode_by_schema(definition(signature), raw)
        assert digest == signature.digest(encoded) == signature.digest(signature.decode_input(raw))
        return
    encoded = agree(Signature(fn, where="work"), raw)
    assert encoded == stored


async def limited(size: Annotated[int, msgspec.Meta(ge=1, le=9)], word: str = "x") -> None: ...


@pytest.mark.parametrize(
    ("fn", "raw", "sentence"),
    [
        (fulfil, b'{"order": {"id": 7, "lines": []}}', "expected str, got int"),
        (fulfil, b'{"note": "x"}', "the input lacks 'order'"),
        (fulfil, b'{"order": {}, "nope": 1}', "it has no argument 'nope'"),
        (fulfil, b"[1, 2, 3, 4, 5]", "5 arguments are given"),
        (fulfil, b'{"order": ', "not valid JSON"),
        (fulfil, b'["\\ud800"]', "surrogate"),
        (nothing, b"1", "it takes no arguments"),
        (limited, b"[0]", "0 is less than the minimum of 1 at $.size"),
        (pet, b'{"type": "Cow"}', "invalid value 'Cow'"),
    ],
)
def test_refusals(fn: Any, raw: bytes, sentence: str) -> None:
    with pytest.raises(PayloadError) as caught:
        encode_by_schema(definition(Signature(fn, where="work")), raw)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("definition 'work'")
    assert "\n" not in str(caught.value)


def test_too_large() -> None:
    with pytest.raises(PayloadTooLarge, match="over the limit"):
        encode_by_schema(definition(of(str)), b'"' + b"x" * 3_000_000 + b'"')
