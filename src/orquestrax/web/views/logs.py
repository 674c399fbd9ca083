"""The Logs tab: records as rows, and what they are filtered by. Pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from orquestrax.client.logs import LEVELS, WORKFLOW, stored_step
from orquestrax.core.store.logs import LogView
from orquestrax.web.views.clock import SECOND

SHOWN: Final = 500
TALL: Final = (1_500, 15)  # characters and lines: a message of more gets a box that scrolls
FILTERED: Final = ("INFO", "WARNING", "ERROR", "CRITICAL")  # nothing below INFO is kept
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Level(NamedTuple):
    """How a level looks: word, symbol and tone."""

    word: str
    icon: str
    tone: str


@dataclass(frozen=True, slots=True)
class LogFilters:
    """The state of the tab, as its address has it: the least level, and a step, "-" for the workflow."""

    level: str = ""
    step: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> LogFilters:
        """From an address; what makes no sense is left out."""
        level = query.get("level", "").upper()
        step = query.get("step", "")[:255].replace("\0", "")
        return cls(level if level in FILTERED else "", step)

    def query(self) -> dict[str, str]:
        """The address's query."""
        return {name: value for name, value in (("level", self.level), ("step", self.step)) if value}

    @property
    def least(self) -> int:
        """The least level, as a number."""
        return LEVELS[self.level] if self.level else 0

    @property
    def stored_step(self) -> str | None:
        """The step, as records have it; None for all."""
        return stored_step(self.step or None)


@dataclass(frozen=True, slots=True)
class LogRow:
    """A record as the template shows it; `time` is of its day, `tall` if it needs a box that scrolls."""

    view: LogView
    level: Level
    time: str
    tall: bool

    @property
    def id(self) -> str:
        """The element's id."""
        return f"log-{self.view.number}"

    @property
    def trace_ends(self) -> str:
        """The last line of the traceback: what was raised."""
        lines = (self.view.trace or "").rstrip().splitlines()
        return lines[-1].strip() if lines else ""


def rows_of(records: Sequence[LogView]) -> list[LogRow]:
    """Records as rows, in their order."""
    return [
        LogRow(view, level_of(view.level), _time_of_day(view.at), _is_tall(view.message)) for view in records
    ]


def steps_to_choose(known: Sequence[str], chosen: str) -> list[tuple[str, str]]:
    """Values and words of the filter by step: what has logged, and what is chosen."""
    found = [step or WORKFLOW for step in known]
    if chosen and chosen not in found:
        found.append(chosen)
    return [(step, "the workflow itself" if step == WORKFLOW else step) for step in found]


def level_of(level: int) -> Level:
    """How a level looks."""
    word = logging.getLevelName(level)
    if level >= logging.ERROR:
        return Level(word, "cross", "failed")
    if level >= logging.WARNING:
        return Level(word, "bang", "retrying")
    return Level(word, "dot", "idle")


def _time_of_day(at: int) -> str:
    return f"{_EPOCH + timedelta(microseconds=at):%H:%M:%S}.{at % SECOND // 1000:03}"


def _is_tall(message: str) -> bool:
    characters, lines = TALL
    return len(message) > characters or message.count("\n") >= lines
