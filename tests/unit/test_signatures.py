"""Calls as stored JSON: binding, defaults, resources, digests, schemas."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orquestrax.base.codec import MAX_PAYLOAD
from orquestrax.base.errors import PayloadError, PayloadTooLarge
from orquestrax.define.resource import Use
from orquestrax.define.signatures import Signature

if TYPE_CHECKING:
    from fractions import Fraction

T = TypeVar("T")
DB: Any = Use(None)  # type: ignore[arg-type]


@dataclass
class Order:
    id: str
    amount: float = 1.0
    tags: set[str] = field(default_factory=set)


async def charge(order: Order, times: int = 2, *, note: str | None = None) -> str:
    return f"{order.id} {times} {note}"


def nothing() -> None: ...


def unhinted(a, b=(1, 2)): ...


def positional(a: int, /, b: int = 1) -> None: ...


def two_named(a: object, *, b: object = 1, c: object = 2) -> None: ...


def with_pool(order: Order, pool: Fraction = DB, *, times: int = 1) -> None: ...


def pool_first(pool: Fraction = DB, order: str = "o") -> None: ...


def generic(item: T, items: list[T]) -> T: ...  # type: ignore[empty-body]


def endless(number: int) -> NoReturn: ...  # type: ignore[misc]


CHARGE = Signature(charge, where="step 'charge'")
ORDER = Order("1", 2.5, {"b", "a"})


def test_a_call_is_stored_as_an_array_with_defaults_and_comes_back() -> None:
    raw, (args, kwargs) = CHARGE.roundtrip((Order("1"),), {"note": "n"})

    assert raw == b'[{"id":"1","amount":1.0,"tags":[]},2,"n"]'
    assert (
        (args, kwargs)
        == ((Order("1"), 2), {"note": "n"})
        == CHARGE.decode(raw)
        == CHARGE.decode(raw.decode())
    )
    assert asyncio.run(charge(*args, **kwargs)) == "1 2 n"
    assert CHARGE.parameters == ("order", "times", "note")


def test_the_body_gets_copies_of_what_was_passed() -> None:
    _, ((seen, _), _) = CHARGE.roundtrip((ORDER,), {})

    assert seen == ORDER
    assert seen is not ORDER
    assert seen.tags is not ORDER.tags


@st.composite
def calls(draw: st.DrawFn, fn: Callable[..., Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    names = [*inspect.signature(fn).parameters, "unknown"]
    args = draw(st.lists(st.sampled_from([ORDER, 3, "n"]), max_size=len(names)))
    return tuple(args), draw(st.dictionaries(st.sampled_from(names), st.just(3), max_size=len(names)))


@pytest.mark.parametrize("fn", [charge, nothing, unhinted, positional, two_named, with_pool, pool_first])
@settings(deadline=None)
@given(data=st.data())
def test_binding_is_pythons_own(fn: Callable[..., Any], data: st.DataObject) -> None:
    call = data.draw(calls(fn))
    signature = Signature(fn, where="here")
    try:
        bound = inspect.signature(fn).bind(*call[0], **call[1])
    except TypeError:
        with pytest.raises(PayloadError, match="; it takes "):
            signature._binding.values(*call)
        return
    if set(signature.resources) & set(bound.arguments):
        with pytest.raises(PayloadError, match=r"^here: 'pool' is filled in by the node; leave it out$"):
            signature._binding.values(*call)
        return
    bound.apply_defaults()
    values = tuple(bound.arguments[name] for name in signature.parameters)

    assert signature._binding.values(*call) == values
    args, kwargs = signature._binding.as_call(values)
    again = inspect.signature(fn).bind(*args, **kwargs)
    again.apply_defaults()
    assert again.arguments == bound.arguments


def test_one_argument_too_many_is_not_taken_for_a_named_one() -> None:
    with pytest.raises(
        PayloadError, match=r"^here: too many positional arguments; it takes a, b \(optional\)"
    ):
        Signature(two_named, where="here").encode((1, 3), {"c": 3})


@pytest.mark.parametrize(
    ("args", "kwargs", "sentence"),
    [
        (
            (),
            {},
            "step 'charge': missing a required argument: 'order'; it takes order, times (optional), note",
        ),
        (
            (ORDER, 1, "n"),
            {},
            "step 'charge': too many positional arguments; it takes order, times (optional)",
        ),
        ((ORDER,), {"order": ORDER}, "step 'charge': multiple values for argument 'order'; it takes"),
        ((ORDER,), {"tmies": 1}, "step 'charge': got an unexpected keyword argument 'tmies'; it takes"),
        (
            ({"id": "1", "amount": "x"},),
            {},
            "step 'charge', argument 'order': expected float, got str at $.amount",
        ),
        ((ORDER, "x"), {}, "step 'charge', argument 'times': expected int, got str"),
        (
            (ORDER,),
            {"note": float("nan")},
            "step 'charge', argument 'note': NaN cannot be stored; use None or text",
        ),
    ],
)
def test_a_call_that_does_not_fit_names_the_argument(args: Any, kwargs: Any, sentence: str) -> None:
    with pytest.raises(PayloadError) as refused:
        CHARGE.encode(args, kwargs)

    assert str(refused.value).startswith(sentence)


def test_a_call_that_is_too_large_is_refused() -> None:
    half = "x" * (MAX_PAYLOAD // 2)

    with pytest.raises(PayloadTooLarge, match=r"^step 'charge': 2,000,0\d\d bytes"):
        CHARGE.encode((Order(half),), {"note": half})
    with pytest.raises(PayloadTooLarge):
        CHARGE.decode_input(b'["' + b"x" * MAX_PAYLOAD)


def test_arguments_from_before_a_parameter_was_added_take_its_default() -> None:
    assert CHARGE.decode('[{"id":"1"}]') == ((Order("1"), 2), {"note": None})
    assert CHARGE.digest('[{"id":"1"}]') == CHARGE.digest(CHARGE.encode((Order("1"),), {}))


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("[]", "step 'charge': the input lacks 'order'; it takes order, times (optional), note (optional)"),
        ('[{"id":1}]', "step 'charge', argument 'order': expected str, got int at $.id"),
        (
            '[{"id":"1"},2,"n",4]',
            "step 'charge': 4 arguments are given, but it takes order, times (optional), note",
        ),
        ('{"id":"1"}', "step 'charge': expected array, got object"),
    ],
)
def test_stored_arguments_that_no_longer_fit_are_told_apart(raw: str, sentence: str) -> None:
    with pytest.raises(PayloadError) as refused:
        CHARGE.decode(raw)

    assert str(refused.value).startswith(sentence)


def test_resources_are_neither_journaled_nor_resolved() -> None:
    signature = Signature(with_pool, where="here")

    assert signature.parameters == ("order", "times")
    assert signature.resources == {"pool": DB}
    assert signature.decode(signature.encode((Order("1"),), {"times": 3})) == ((Order("1"),), {"times": 3})
    assert list(signature.input_schema()["properties"]) == ["order", "times"]
    first = Signature(pool_first, where="here")
    assert first.decode(first.encode((), {"order": "x"})) == ((), {"order": "x"})


def test_without_hints_plain_json_passes() -> None:
    signature = Signature(unhinted, where="here")

    assert signature.roundtrip(({"x": 1},), {}) == (b'[{"x":1},[1,2]]', (({"x": 1}, [1, 2]), {}))
    assert signature.result.roundtrip((1,)) == (b"[1]", [1])


def test_results_are_checked_against_their_hint() -> None:
    assert CHARGE.result.decode(b'"x"') == "x"
    with pytest.raises(PayloadError, match=r"^step 'charge', result: expected str, got int$"):
        CHARGE.result.encode(1)
    assert Signature(endless, where="here").result.encode(None) == b"null"
    assert Signature(generic, where="here").roundtrip((1, ["a"]), {})[1] == ((1, ["a"]), {})


def test_equal_input_has_equal_digests() -> None:
    def digest(*args: Any, **kwargs: Any) -> bytes:
        return CHARGE.digest(CHARGE.encode(args, kwargs))

    reference = digest(Order("1", 2.0, {"b", "a", "c"}))

    assert len(reference) == 16
    assert reference == digest(Order("1", 2, {"c", "a", "b"}), 2, note=None)
    assert reference == digest(order={"id": "1", "amount": 2, "tags": ["c", "b", "a"]})  # type: ignore[arg-type]
    assert reference != digest(Order("1", 2.0, {"b", "a"}))
    assert reference != digest(Order("1", 2.0, {"b", "a", "c"}), 3)
    plain = Signature(unhinted, where="here")
    assert plain.digest(plain.encode(({"x": 1, "y": 2},), {})) == plain.digest(
        plain.encode(({"y": 2, "x": 1},), {})
    )


def test_the_input_schema_describes_what_decode_input_takes() -> None:
    schema = CHARGE.input_schema()
    validator = jsonschema_rs.validator_for(schema)

    assert schema["required"] == ["order"]
    assert schema["properties"]["times"] == {"title": "times", "type": "integer", "default": 2}
    assert validator.is_valid({"order": {"id": "1"}, "note": None})
    assert not validator.is_valid({"times": 2})
    assert not validator.is_valid({"order": {"id": "1"}, "other": 2})
    one = Signature(generic, where="here").input_schema()
    assert one["required"] == ["item", "items"]
    assert Signature(endless, where="here").input_schema()["type"] == "integer"
    assert Signature(nothing, where="here").input_schema()["properties"] == {}
    assert CHARGE.output_schema()["type"] == "string"
