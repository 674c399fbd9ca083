"""Sessions: what a browser holds instead of the token."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

IDLE: Final = 8 * 3600.0  # seconds without a request; an open page makes none, so a working day
ABSOLUTE: Final = 7 * 86400.0
MOST: Final = 1_000  # the oldest makes room


@dataclass(slots=True)
class _Session:
    opened: float
    seen: float


class Sessions:
    """Open sessions in memory, by the digest of their ids: a dump of them opens none.

    clock  seconds that only rise
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[bytes, _Session] = {}

    def open(self) -> str:
        """A new session; returns its id, 256 random bits."""
        now = self._clock()
        self._open = {key: session for key, session in self._open.items() if not _expired(session, now)}
        while len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
        id_ = secrets.token_urlsafe(32)
        self._open[_digest(id_)] = _Session(now, now)
        return id_

    def seen(self, id_: str) -> bool:
        """Whether that session is open; if so, it is not idle."""
        key, now = _digest(id_), self._clock()
        session = self._open.get(key)
        if session is None:
            return False
        if _expired(session, now):
            del self._open[key]
            return False
        session.seen = now
        return True

    def close(self, id_: str) -> None:
        """End a session, if it is open."""
        self._open.pop(_digest(id_), None)


def _expired(session: _Session, now: float) -> bool:
    return now - session.seen >= IDLE or now - session.opened >= ABSOLUTE


def _digest(id_: str) -> bytes:
    return hashlib.sha256(id_.encode(errors="surrogatepass")).digest()
