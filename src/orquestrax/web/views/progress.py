"""How far a running step says it is, as a bar with words. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orquestrax.core.store.progress import ProgressView


@dataclass(frozen=True, slots=True)
class Progress:
    """What a step last said of itself.

    percent  0 to 100 for the bar; None if it is not known what all would be
    words    `412 of 1,000`, empty if it only says that it is alive
    told_at  when (µs): the browser counts on
    """

    percent: float | None
    words: str
    note: str
    told_at: int

    @property
    def width(self) -> str:
        """Of the bar."""
        return f"{self.percent or 0:.2f}%"

    @property
    def spoken(self) -> str:
        """For those who hear the page."""
        return ", ".join(part for part in (self.words, self.note) if part)


def progress_of(said: ProgressView | None, attempt: int) -> Progress | None:
    """What is to be shown beside an attempt that is running; None if it has said nothing itself."""
    if said is None or said.attempt != attempt:
        return None
    done, total = said.done, said.total
    if done is None or not math.isfinite(done):
        return Progress(None, "", said.note, said.told_at)
    if total is None or not math.isfinite(total) or total <= 0:
        return Progress(None, _number(done), said.note, said.told_at)
    percent = min(max(100 * done / total, 0.0), 100.0)
    return Progress(percent, f"{_number(done)} of {_number(total)}", said.note, said.told_at)


def _number(value: float) -> str:
    """`1,000`, `0.25`, `1.2e+20`."""
    if abs(value) < 1e15:  # noqa: PLR2004 - as far as floats are exact, and people read digits
        return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}".rstrip("0").rstrip(".")
    return f"{value:.3g}"
