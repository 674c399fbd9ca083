"""Defaults are stored, also those that msgspec leaves out of what it decodes."""

from __future__ import annotations

import json
from typing import (
    Any,
)

import pytest
from tests.unit.codec.kinds import (
    Both,
    Defaults,
    Holder,
    Nest,
)

from orquestrax.base.codec import Codec

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
