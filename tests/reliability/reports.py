"""Reports that runs leave behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


class NoReport(Exception):
    """There is none, or none that can be read; the message is one sentence."""


def read(path: Path, load: Callable[[Path], T], *, again: str) -> T:
    """What a run came to; `again` says how to make that run. Raises NoReport."""
    try:
        return load(path)
    except FileNotFoundError as error:
        raise NoReport(f"there is no {path}: run `{again}`, then `make reliability`") from error
    except msgspec.DecodeError as error:
        raise NoReport(f"{path} is no report ({error}): run `{again}`, then `make reliability`") from error
