"""Frames: what an open page is told, a list of (operation, target, html), and when it was true."""

from __future__ import annotations

import zlib
from functools import cached_property
from typing import Final, NamedTuple

import msgspec

_ENCODE: Final = msgspec.json.Encoder().encode


class Operation(NamedTuple):
    """One change: `morph` an element of that id into the html, or bring the `rows` of a table up to date."""

    name: str
    target: str
    html: str


class Frame:
    """One server-sent event: as it is, and deflated, once for all pages that it goes to."""

    def __init__(self, plain: bytes) -> None:
        self.plain: Final = plain

    @cached_property
    def deflated(self) -> bytes:
        """Whole deflate blocks that lean on nothing before them, so that they fit into any page's stream."""
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return packer.compress(self.plain) + packer.flush(zlib.Z_SYNC_FLUSH)


def frame(at: int, operations: list[Operation]) -> Frame:
    """A change that was true at `at`, in microseconds."""
    return Frame(b"event: frame\ndata: " + _ENCODE({"at": at // 1000, "ops": operations}) + b"\n\n")


def beat(at: int) -> Frame:
    """Says that nothing changed up to `at` (microseconds): tells a quiet page from a page that is behind."""
    return Frame(b"event: beat\ndata: " + str(at // 1000).encode() + b"\n\n")
