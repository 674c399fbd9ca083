"""JSON that does not fit its type is refused with one sentence that says where and why."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from tests.unit.codec.refused import (
    Meeting,
    Order,
    Shirt,
)

from orquestrax.base.codec import ANY, Codec
from orquestrax.base.errors import PayloadError


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
        (b'{"id":', "here: not valid JSON: expecting value at line 1, column 7"),
        (b'[{"id":1}', "here: not valid JSON: expecting ',' delimiter at line 1, column 10"),
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
