"""Ids: generated keys, and the check of those that people choose."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from typing import TYPE_CHECKING
from uuid import UUID

from asyncpg.pgproto import pgproto

from orquestrax.base.errors import InvalidId, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ID = 255
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TAIL_BITS = 74  # what version and variant leave beside 48 bits of milliseconds: 12 + 62
_LOW_BITS = 62
_LOW_MASK = (1 << _LOW_BITS) - 1
_MIDDLE_MASK = (1 << 12) - 1
_FRAME = 7 << 76 | 2 << 62  # version and variant


class UuidFactory:
    """Makes UUIDv7 (RFC 9562) that only rise, also within a millisecond and when the clock is set back.

    Milliseconds and the 74 bits after them are one number: a new millisecond starts it at random, and within
    one it rises by a random step, over into the next if need be (method 2 of section 6.2). Ids are unique,
    not secret. Threads may share a factory; a forked child must `reset` it, or it repeats its parent's ids.
    """

    def __init__(
        self,
        clock_ns: Callable[[], int] = time.time_ns,
        source: Callable[[], random.Random] = random.Random,
    ) -> None:
        self._clock_ns, self._source = clock_ns, source
        self.reset()

    def reset(self) -> None:
        """Forget the last id, and take fresh entropy."""
        self._lock = threading.Lock()
        self._bits = self._source().getrandbits
        self._last = 0

    def __call__(self) -> UUID:
        """The next id, larger than all before it."""
        with self._lock:
            last = self._last + self._bits(32) + 1
            now = self._clock_ns() // 1_000_000 << _TAIL_BITS
            if now > last:
                last = now | self._bits(_TAIL_BITS - 1)  # the highest bit free: room to rise
            self._last = last
        middle = last >> _LOW_BITS & _MIDDLE_MASK
        number = last >> _TAIL_BITS << 80 | middle << 64 | last & _LOW_MASK | _FRAME
        # A UUID as asyncpg makes them: it hashes, compares and prints in C, and keys are hashed all the time.
        made: UUID = pgproto.UUID(number.to_bytes(16, "big"))
        return made


_factory = UuidFactory()
os.register_at_fork(after_in_child=_factory.reset)


def uuid7() -> UUID:
    """A new UUIDv7: 48 bits of milliseconds since 1970 first, larger than all this process made before."""
    return _factory()


def check_id(text: str) -> str:
    """Return `text` if it can be an instance's id; raises InvalidId, which says why not.

    An id is text of 1 to 255 characters without control characters or lone surrogates.
    """
    if not isinstance(text, str):
        raise InvalidId(f"an id must be text, not {type(text).__name__}")
    if not text:
        raise InvalidId(f"an id must have 1 to {MAX_ID} characters, but it is empty")
    if len(text) > MAX_ID:
        raise InvalidId(f"an id must have 1 to {MAX_ID} characters, but {text[:20]!r}… has {len(text)}")
    if text.isascii() and text.isprintable():
        return text
    unfit = _UNFIT.search(text)
    if unfit:
        raise InvalidId(
            f"an id must hold no {_kind(unfit[0])}, but {text!r} has one at position {unfit.start()}"
        )
    return text


def check_text(text: str, what: str) -> str:
    """Return `text` if it can stand for `what` ("a signal's name"); raises InvalidInput, which says why not.

    The rule is that of ids.
    """
    if not 1 <= len(text) <= MAX_ID:
        raise InvalidInput(f"{what} has 1 to {MAX_ID} characters, but {text[:20]!r}… has {len(text)}")
    unfit = _UNFIT.search(text)
    if unfit:
        raise InvalidInput(f"{what} holds no {_kind(unfit[0])}, but {text!r} has one")
    return text


def _kind(character: str) -> str:
    return "half of a surrogate pair" if "\ud800" <= character <= "\udfff" else "control character"
