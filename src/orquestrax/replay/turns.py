"""What goes into a replay and comes out of it, beside events and commands."""

from __future__ import annotations

from uuid import UUID

import msgspec

from orquestrax.model.commands import Command, Finish


class Identity(msgspec.Struct, frozen=True):
    """Which instance; `started_at` in microseconds since the epoch."""

    id: str
    key: UUID
    definition: str
    version: str
    started_at: int


class Turn(msgspec.Struct):
    """What came of the events since the last turn, each in the order of asking.

    commands   newly asked and still open; and the end
    abandoned  handed out in an earlier turn, and the code has stopped waiting for them
    finish     the end, if it came
    """

    commands: list[Command]
    abandoned: list[Command]
    finish: Finish | None


class Wait(msgspec.Struct, frozen=True):
    """One thing that an instance waits for.

    `kind` is step, timer or signal; `file` and `line` are where the code asked, None if it was not the user's
    code that did; `since` and `until` in microseconds since the epoch.
    """

    kind: str
    name: str
    file: str | None
    line: int | None
    since: int
    until: int | None
