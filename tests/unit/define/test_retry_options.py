"""What `Retry` refuses, each with its one sentence."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from orquestrax.base.errors import DefinitionError
from orquestrax.model.options import Retry

DELAY = "seconds or a timedelta, not negative"


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        *(("attempts", value, "a whole number, at least 1") for value in ("3", 0, -1, 1.5, True, None)),
        *(("initial", value, DELAY) for value in ("1", -1, timedelta(-1), None, True, float("nan"))),
        *(("max_delay", value, DELAY) for value in ("60", -0.1)),
        *(("max_elapsed", value, f"{DELAY}, or None for no limit") for value in ("9", -1)),
        *(("backoff", value, "at least 1") for value in ("2", 0.5, None, float("nan"))),
        *(("jitter", value, "a share, 0 to 1") for value in ("0", 1.1, -0.1, float("nan"))),
        *(
            ("never", value, "exception classes, in a tuple")
            for value in ([ValueError], ("x",), 1, ValueError())
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(option: str, value: Any, wanted: str) -> None:
    sentence = f"Retry({option}={value!r}): {option} is {wanted}"
    with pytest.raises(DefinitionError, match=f"^{re.escape(sentence)}$"):
        Retry(**{option: value})


def test_what_fits() -> None:
    Retry(attempts=1, initial=0, backoff=1, max_delay=timedelta(hours=1), jitter=0, max_elapsed=timedelta(1))
    Retry(jitter=1.0, max_elapsed=0, never=(ValueError, KeyboardInterrupt))
    assert Retry(never=ValueError).never is ValueError  # type: ignore[arg-type,comparison-overlap]
