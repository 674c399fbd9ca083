"""What a body says of itself while it runs, and when it last did."""

from __future__ import annotations

import asyncio
import time

import msgspec


class Told(msgspec.Struct, frozen=True, tag=True):
    """One call of `progress` or `heartbeat`.

    done     None if the call was not about progress; then `total` and `note` say nothing either
    details  encoded; None if the call gave none
    """

    done: float | None = None
    total: float | None = None
    note: str = ""
    details: bytes | None = None


class Pulse:
    """The last of it. Written by whichever thread the body runs in: plain assignments, latest wins.

    before   details of the last heartbeat of an earlier attempt, encoded
    at       when it last said anything, by the monotonic clock; at first its start
    pending  what it said has not been written yet
    timer    for `heartbeat_timeout`
    """

    __slots__ = ("at", "before", "details", "done", "note", "pending", "spoken", "timer", "total")

    def __init__(self, before: bytes | None = None) -> None:
        self.before = before
        self.at = time.monotonic()
        self.done: float | None = None
        self.total: float | None = None
        self.note = ""
        self.details: bytes | None = None
        self.spoken = self.pending = False
        self.timer: asyncio.TimerHandle | None = None

    def hear(self, told: Told) -> None:
        """It is alive, and this is what it says."""
        self.at = time.monotonic()
        self.spoken = True
        if told.done is not None:
            self.done, self.total, self.note = told.done, told.total, told.note
        if told.details is not None:
            self.details = told.details
