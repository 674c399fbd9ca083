"""Frames: what an open page is told, a list of (operation, target, html), and when it was true."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

_ENCODE: Final = msgspec.json.Encoder().encode


class Operation(NamedTuple):
    """One change: `morph` an element of that id into the html, or bring the `rows` of a table up to date."""

    name: str
    target: str
    html: str


def frame(at: int, operations: list[Operation]) -> bytes:
    """The bytes of one server-sent event; `at` in microseconds."""
    return b"event: frame\ndata: " + _ENCODE({"at": at // 1000, "ops": operations}) + b"\n\n"


def beat(at: int) -> bytes:
    """Says that nothing changed up to `at` (microseconds): tells a quiet page from a page that is behind."""
    return b"event: beat\ndata: " + str(at // 1000).encode() + b"\n\n"
