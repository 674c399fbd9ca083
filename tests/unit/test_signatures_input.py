"""Input that people write: one rule for the CLI, REST and the dashboard."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orquestrax.base.errors import PayloadError
from orquestrax.define.signatures import Signature


@dataclass
class Order:
    id: str
    amount: float = 1.0


def none() -> None: ...


def one(order: Order) -> None: ...


def one_optional(count: int = 3) -> None: ...


def one_list(numbers: list[int]) -> None: ...


def several(order: Order, count: int, *, note: str | None = None) -> None: ...


def optional(a: int = 1, b: str = "b") -> None: ...


NONE, ONE, OPTIONAL_ONE, LIST, SEVERAL, OPTIONAL = (
    Signature(fn, where="here") for fn in (none, one, one_optional, one_list, several, optional)
)


@pytest.mark.parametrize(
    ("signature", "raw", "stored"),
    [
        (NONE, None, []),
        (NONE, b"null", []),
        (NONE, b"{}", []),
        (NONE, "[]", []),
        (ONE, b'{"id":"1"}', [{"id": "1", "amount": 1.0}]),
        (ONE, ' {"id": "ü", "amount": 2} ', [{"id": "ü", "amount": 2.0}]),
        (OPTIONAL_ONE, None, [3]),
        (OPTIONAL_ONE, b"4", [4]),
        (LIST, b"[1,2]", [[1, 2]]),
        (SEVERAL, b'\n[{"id":"1"}, 2]', [{"id": "1", "amount": 1.0}, 2, None]),
        (SEVERAL, b'[{"id":"1"},2,"n"]', [{"id": "1", "amount": 1.0}, 2, "n"]),
        (SEVERAL, ' {"note":"n","count":2,"order":{"id":"1"}}', [{"id": "1", "amount": 1.0}, 2, "n"]),
        (OPTIONAL, None, [1, "b"]),
        (OPTIONAL, b"[]", [1, "b"]),
        (OPTIONAL, b'{"b":"c"}', [1, "c"]),
    ],
)
def test_input_becomes_what_encode_stores(signature: Signature, raw: bytes | str | None, stored: Any) -> None:
    encoded = signature.decode_input(raw)

    assert json.loads(encoded) == stored
    args, kwargs = signature.decode(encoded)
    assert signature.encode(args, kwargs) == encoded


TAKES = "it takes order, count, note (optional)"


@pytest.mark.parametrize(
    ("signature", "raw", "sentence"),
    [
        (NONE, b"1", "here: it takes no arguments; leave the input out"),
        (NONE, b"[1]", "here: it takes no arguments; leave the input out"),
        (NONE, b"0", "here: it takes no arguments; leave the input out"),
        (NONE, b"x", "here: not valid JSON: expecting value at line 1, column 1"),
        (ONE, None, "here: the input lacks 'order'; it takes order"),
        (ONE, b"{", "here, argument 'order': not valid JSON: expecting property name"),
        (ONE, b'{"id":7}', "here, argument 'order': expected str, got int at $.id"),
        (ONE, b'{"order":{"id":"1"}}', "here, argument 'order': missing required field id"),
        (LIST, b'[1,"x"]', "here, argument 'numbers': expected int, got str at $[1]"),
        (SEVERAL, None, f"here: the input lacks 'order', 'count'; {TAKES}"),
        (SEVERAL, b'{"order":{"id":"1"}}', f"here: the input lacks 'count'; {TAKES}"),
        (SEVERAL, b'[{"id":"1"}]', f"here: the input lacks 'count'; {TAKES}"),
        (SEVERAL, b'{"ordr":1,"count":2,"x":3}', f"here: it has no argument 'ordr', 'x'; {TAKES}"),
        (SEVERAL, b"[1,2,3,4]", f"here: 4 arguments are given, but {TAKES}"),
        (SEVERAL, b'[{"id":"1"},"x"]', "here, argument 'count': expected int, got str"),
        (
            SEVERAL,
            b'[{"id":"1"},\n 2 3]',
            "here: not valid JSON: expecting ',' delimiter at line 2, column 4",
        ),
        (SEVERAL, b'{"count":2', "here: not valid JSON: expecting ',' delimiter at line 1, column 11"),
        (SEVERAL, b'"x"', f"here: {TAKES}; give a JSON array of them in order, or"),
        (SEVERAL, b"", "here: not valid JSON: expecting value at line 1, column 1"),
        (SEVERAL, '[{"id":"\ud800"},1]', "here: the JSON holds half of a surrogate pair at position 8"),
        (SEVERAL, b'[{"id":"\\u0000"},1]', "here, argument 'order': text with a NUL character at $.id"),
        (
            SEVERAL,
            b'[{"id":"1","amount":1e999},1]',
            "here, argument 'order': number out of range at $.amount",
        ),
    ],
)
def test_input_that_does_not_fit_is_refused(signature: Signature, raw: bytes | None, sentence: str) -> None:
    with pytest.raises(PayloadError) as refused:
        signature.decode_input(raw)

    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


@settings(deadline=None)
@given(st.binary(max_size=40) | st.text(max_size=40))
def test_no_input_does_anything_but_pass_or_be_refused(raw: bytes | str) -> None:
    for signature in (NONE, ONE, OPTIONAL_ONE, LIST, SEVERAL, OPTIONAL):
        try:
            stored = signature.decode_input(raw)
        except PayloadError:
            continue
        assert signature.encode(*signature.decode(stored)) == stored


@settings(deadline=None)
@given(st.integers(), st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_array_and_object_say_the_same(count: int, note: str | None) -> None:
    order = {"id": "1", "amount": 2.0}

    by_place = SEVERAL.decode_input(json.dumps([order, count, note]))
    by_name = SEVERAL.decode_input(json.dumps({"note": note, "count": count, "order": order}))

    assert by_place == by_name == SEVERAL.encode((Order("1", 2.0), count), {"note": note})
    assert SEVERAL.digest(by_place) == SEVERAL.digest(by_name)
