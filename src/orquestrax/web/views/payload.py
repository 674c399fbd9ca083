"""Payloads as text: pretty JSON, cut where it gets long. Pure; templates escape what comes out of here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

CUT: Final = 64_000
_UNITS: Final = ((1_000_000, "MB"), (1_000, "kB"))


@dataclass(frozen=True, slots=True)
class Payload:
    """`text` is at most `CUT` characters unless all was asked for; `size` is that of the stored bytes."""

    text: str
    size: str
    cut: bool


def pretty(raw: str | None, *, full: bool = False, most: int = CUT) -> Payload | None:
    """Stored JSON for people; None stays None. Numbers are left as they were written."""
    if raw is None:
        return None
    text = msgspec.json.format(raw, indent=2)
    cut = not full and len(text) > most
    return Payload(text[:most] if cut else text, size_of(len(raw.encode())), cut)


def preview(raw: str | None, most: int = 80) -> str:
    """The beginning of stored JSON in one line."""
    if raw is None or raw == "null":
        return ""
    line = " ".join(raw.split())
    return line if len(line) <= most else f"{line[:most]}…"


def size_of(count: int) -> str:
    """`312 B`, `4.1 kB`, `1.9 MB`."""
    for unit, word in _UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {word}"
    return f"{count} B"
