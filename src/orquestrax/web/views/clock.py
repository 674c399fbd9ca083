"""Times and durations as people read them. Everything comes in microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FINE: Final = 10 * SECOND


def stamp(at: int) -> str:
    """A moment: `2026-11-22 20:31:07 UTC`."""
    return f"{_EPOCH + timedelta(microseconds=at):%Y-%m-%d %H:%M:%S} UTC"


def iso(at: int) -> str:
    """A moment for machines, to the millisecond."""
    moment = _EPOCH + timedelta(microseconds=at)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(us: int) -> str:
    """A duration that stands still: `840 ms`, `4.2 s`, then as `elapsed`."""
    us = max(0, us)
    if us < SECOND:
        return f"{us // 1000} ms"
    if us < _FINE:
        return f"{us // 100_000 / 10:.1f} s"
    return elapsed(us)


def elapsed(us: int) -> str:
    """A duration that ticks: `4 s`, `3 min 5 s`, `2 h 5 min`, `4 d 3 h`. The browser counts on alike."""
    us = max(0, us)
    if us < MINUTE:
        return f"{us // SECOND} s"
    if us < HOUR:
        return f"{us // MINUTE} min {us % MINUTE // SECOND} s"
    if us < DAY:
        return f"{us // HOUR} h {us % HOUR // MINUTE} min"
    return f"{us // DAY} d {us % DAY // HOUR} h"


def tick_label(us: int) -> str:
    """A place on a time axis: `0`, `500 ms`, `1.5 s`, `1 min 30 s`, `3 h`, without parts that are zero."""
    if us == 0:
        return "0"
    if us < SECOND:
        return f"{us // 1000} ms"
    if us % SECOND and us < MINUTE:
        return f"{us / SECOND:g} s"
    parts = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))
    words = []
    for unit, word in parts:
        if us >= unit:
            words.append(f"{us // unit} {word}")
            us %= unit
    return " ".join(words)
