"""A type that cannot work is refused when a codec is made of it, with one sentence and a remedy."""

from __future__ import annotations

import collections
import enum
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest
from tests.unit.codec.refused import (
    Checked,
    Colour,
    Dangling,
    Item,
    OldModel,
    Order,
    Other,
    Refund,
    Shelf,
    Untagged,
    Weight,
    WithInitVar,
)

from orquestrax.base.codec import Codec
from orquestrax.base.errors import DefinitionError

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
)
def test_a_type_that_cannot_work_is_refused_when_it_is_declared(annotation: Any, sentence: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        Codec(annotation, where="here")

    assert str(refused.value).startswith("here: ")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
