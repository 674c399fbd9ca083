"""Keeps what workflows and steps of one node log, until it is written.

It is called wherever users' code logs, in any thread, so it takes no lock while it formats, waits for nothing and
never raises. Its memory is bounded: what comes faster than it can be written is counted and dropped.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, NamedTuple
from uuid import UUID

from orquestrax.base.logs import NOWHERE, Names, Origin, origin

MOST: Final = 10_000  # records that wait
MOST_CHARACTERS: Final = 8_000_000  # in them
LONGEST: Final = 16_000  # characters of a message
LONGEST_TRACE: Final = 32_000
LONGEST_NAME: Final = 255
COUNTED: Final = 1_000  # instances for which what is dropped is counted
HIGHEST: Final = 32_767
_UNFIT: Final = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL stores no NUL, and half a pair is no character
_FORMATTER: Final = logging.Formatter()


class Captured(NamedTuple):
    """A record that waits; `at` by the monotonic clock."""

    instance: UUID
    at: float
    level: int
    attempt: int
    logger: str
    step: str
    message: str
    trace: str | None

    @property
    def length(self) -> int:
        """Characters."""
        return len(self.message) + len(self.trace or "")


class LogCapture:
    """Hears records, see `base.logs.listen`, and keeps those from INFO on.

    owner  the instance that code belongs to if it is this node's, else None
    wake   called, in whatever thread, when there is something after there was nothing
    """

    def __init__(
        self, owner: Callable[[Origin], UUID | None], wake: Callable[[], None], *, most: int = MOST
    ) -> None:
        self._owner, self._wake, self._most = owner, wake, most
        self._waiting: deque[Captured] = deque()
        self._characters = 0
        self._dropped: Counter[UUID] = Counter()
        self._guard = threading.Lock()  # around a few plain operations, never around users' code
        self._full: set[UUID] = set()

    def hear(self, record: logging.LogRecord) -> None:
        """Keep a record of this node's code, or count it as dropped."""
        if record.levelno < logging.INFO:
            return
        source = origin.get()
        instance = None if source is None else self._owner(source)
        if source is None or instance is None or instance in self._full:
            return
        kept = None if self._is_crowded() else _captured(record, instance, source.names)
        with self._guard:
            first = not self._waiting and not self._dropped
            if kept is not None:
                self._waiting.append(kept)
                self._characters += kept.length
            elif len(self._dropped) < COUNTED:
                self._dropped[instance] += 1
        if first:
            self._wake()

    def take(self, most: int) -> tuple[list[Captured], Counter[UUID]]:
        """The oldest records that wait, and how many were dropped of which instance."""
        with self._guard:
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._characters -= sum(one.length for one in taken)
            dropped = Counter[UUID]()
            if not self._waiting:  # they came behind what waited
                dropped, self._dropped = self._dropped, Counter()
        return taken, dropped

    def refuse(self, instances: set[UUID]) -> None:
        """Keep nothing more of these: they have logged all that they may."""
        self._full = (self._full if len(self._full) < COUNTED else set()) | instances

    def _is_crowded(self) -> bool:
        return len(self._waiting) >= self._most or self._characters >= MOST_CHARACTERS


def _captured(record: logging.LogRecord, instance: UUID, names: Names) -> Captured:
    trace = _trace(record)
    return Captured(
        instance=instance,
        at=time.monotonic(),
        level=min(max(record.levelno, 0), HIGHEST),
        attempt=names.attempt,
        logger=_fit(str(record.name), LONGEST_NAME),
        step="" if names.step == NOWHERE.step else names.step,
        message=_fit(_message(record), LONGEST),
        trace=None if trace is None else _fit(trace, LONGEST_TRACE),
    )


def _message(record: logging.LogRecord) -> str:
    """The message; arguments that do not fit it are shown beside it, as the user's own handlers complain of them."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - whatever users' `__str__` raises
        return f"{record.msg!s:.1000} (its arguments do not fit)" if isinstance(record.msg, str) else "?"


def _trace(record: logging.LogRecord) -> str | None:
    try:
        told = record.exc_text or (record.exc_info and _FORMATTER.formatException(record.exc_info)) or None
    except Exception:  # noqa: BLE001 - the exception's own `__str__`
        told = None
    parts = [part for part in (told, record.stack_info) if part]
    return "\n".join(parts) if parts else None


def _fit(text: str, most: int) -> str:
    """Text that can be stored, cut where it is too long."""
    if len(text) > most:
        text = f"{text[:most]}… ({len(text) - most:,} more characters)"
    return text if text.isascii() and "\0" not in text else _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
