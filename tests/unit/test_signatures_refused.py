"""What cannot be journaled is refused when it is declared, with one sentence and a remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest

from orquestrax.base.errors import DefinitionError
from orquestrax.define.resource import Use
from orquestrax.define.signatures import Signature

if TYPE_CHECKING:
    from fractions import Fraction

DB: Any = Use(None)  # type: ignore[arg-type]


def nothing() -> None: ...


def starred(*parts: int) -> None: ...


def double_starred(**parts: int) -> None: ...


def dangling(a: int, b: Fraction) -> None: ...


def dangling_result(a: int) -> Fraction: ...  # type: ignore[empty-body]


def broken_hint(a: nothing.missing) -> None: ...  # type: ignore[name-defined]


def wrong_default(a: int = "1") -> None: ...  # type: ignore[assignment]


def endless_default(a: float = float("inf")) -> None: ...


def unstorable(a: complex) -> None: ...


def mixed_result() -> str | bytes: ...  # type: ignore[empty-body]


def stream() -> AsyncIterator[int]: ...  # type: ignore[empty-body]


def after_pool(pool: Any = DB, order: str = "", /) -> None: ...


REFUSED = [
    (
        starred,
        "here: *parts cannot be journaled, because each argument is stored, checked and shown under",
    ),
    (double_starred, "here: **parts cannot be journaled"),
    (double_starred, "take one parameter that is a dict instead"),
    (
        dangling,
        "here: the hint of argument 'b' names 'Fraction', which its module does not define; import or define",
    ),
    (dangling_result, "here: the hint of the result names 'Fraction', which its module does not define"),
    (
        broken_hint,
        "here: the hint of argument 'a' cannot be resolved: 'function' object has no attribute 'missing'",
    ),
    (
        wrong_default,
        "here, argument 'a': expected int, got str; this is its default, which must fit the hint",
    ),
    (endless_default, "here, argument 'a': Infinity cannot be stored"),
    (unstorable, "here, argument 'a': values of `complex` have no form in JSON"),
    (mixed_result, "here, result: `str | bytes` mixes types that are all text in JSON"),
    (stream, "here, result: values of `AsyncIterator` have no form in JSON"),
    (after_pool, "here: order is positional-only after a resource; put it before"),
    (print, "here: *args cannot be journaled"),
    (type, "here: its signature cannot be read"),
]


@pytest.mark.parametrize(("fn", "sentence"), REFUSED)
def test_what_cannot_be_journaled_is_refused_when_it_is_declared(
    fn: Callable[..., Any], sentence: str
) -> None:
    with pytest.raises(DefinitionError) as refused:
        Signature(fn, where="here")

    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
