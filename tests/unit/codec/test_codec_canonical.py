"""Equal values give equal canonical bytes: in any order, in any process; different ones never do."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orquestrax.base.codec import ANY, Codec
from orquestrax.base.errors import PayloadError


@dataclass(frozen=True)
class Part:
    names: frozenset[str]
    size: int | None = None


class Cat(msgspec.Struct, tag=True):
    lives: set[int]


class Dog(msgspec.Struct, tag=True):
    lives: set[int]


class Model(pydantic.BaseModel):
    labels: set[str]
    more: dict[str, int] = {}


@dataclass
class Linked:
    numbers: set[int]
    following: Linked | None = None


@settings(deadline=None)
@given(st.permutations(["a", "b", "ü", "", "d"]), st.permutations([1, 2, 33, -4]))
def test_order_does_not_count(names: list[str], numbers: list[int]) -> None:
    def bytes_of(annotation: Any, value: Any) -> bytes:
        codec: Codec[Any] = Codec(annotation, where="here")
        return codec.canonical(codec.roundtrip(value)[1])

    pairs = dict(zip(numbers, names, strict=False))
    assert bytes_of(dict[int, str], pairs) == bytes_of(dict[int, str], dict(sorted(pairs.items())))
    assert bytes_of(dict[str, int], dict.fromkeys(names, 1)) == bytes_of(
        dict[str, int], dict.fromkeys(sorted(names), 1)
    )
    assert bytes_of(set[str], set(names)) == bytes_of(set[str], {*names[::-1]})
    mixed = {None, *names, *numbers}
    assert bytes_of(set[int | str | None], mixed) == bytes_of(set[int | str | None], {*reversed(list(mixed))})
    assert bytes_of(Any, {"x": dict.fromkeys(names)}) == bytes_of(Any, {"x": dict.fromkeys(reversed(names))})


@pytest.mark.parametrize(
    ("annotation", "one", "other"),
    [
        (set[int], {1}, {1, 2}),
        (dict[int, str], {1: "a"}, {1: "b"}),
        (dict[int, str], {1: "a"}, {2: "a"}),
        (dict[int, str], {}, {1: "a"}),
        (Cat | Dog, Cat({1}), Dog({1})),
        (Part, Part(frozenset("a")), Part(frozenset("a"), 0)),
        (Model, Model(labels={"a"}), Model(labels={"b"})),
        (Model, Model(labels={"a"}), Model(labels={"a"}, more={"a": 1})),
        (tuple[set[int], Any], (set(), []), (set(), {})),
        (tuple[set[int], Any], (set(), [["a", 1]]), (set(), {"a": 1})),
        (Any, [1], [1.0]),
        (Any, "1", 1),
        (list[Decimal], [Decimal("1.0")], [Decimal("1.00")]),
    ],
)
def test_what_differs_differs(annotation: Any, one: Any, other: Any) -> None:
    codec: Codec[Any] = Codec(annotation, where="here")

    assert codec.canonical(codec.roundtrip(one)[1]) != codec.canonical(codec.roundtrip(other)[1])
    assert codec.canonical(codec.roundtrip(one)[1]) == codec.canonical(codec.decode(codec.encode(one)))


def test_types_without_sets_are_left_to_msgspec() -> None:
    assert ANY.canonical({"b": 1, "a": [True, None]}) == b'{"a":[true,null],"b":1}'


def test_nesting_beyond_the_interpreter_is_refused() -> None:
    value = Linked(set())
    for _ in range(2_000):
        value = Linked(set(), value)

    with pytest.raises(PayloadError, match=r"^here: the value is nested too deeply$"):
        Codec(Linked, where="here").canonical(value)


PROGRAM = """
from orquestrax.base.codec import Codec
words = {w * 3 for w in "abcdefgh"}
codec = Codec(dict[int, set[frozenset[str]]], where="here")
raw, seen = codec.roundtrip({2: {frozenset(words)}, 1: {frozenset(), frozenset(words | {"x"})}})
print(codec.canonical(seen).hex(), "".join(words))
"""


def test_processes_with_other_hash_seeds_agree() -> None:
    def run(seed: int) -> list[str]:
        environment = os.environ | {"PYTHONHASHSEED": str(seed)}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True, text=True
        )
        return done.stdout.split()

    outcomes = [run(seed) for seed in (1, 2, 3)]

    assert len({order for _, order in outcomes}) > 1, "the seeds do not change the order of sets"
    assert len({canonical for canonical, _ in outcomes}) == 1
