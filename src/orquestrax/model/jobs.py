"""One attempt of a step: what a node's runner is handed and what it hands back."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from orquestrax.model.commands import Decoded


class BodyKey(NamedTuple):
    """Which body: held by the node's map of running bodies, outside the instance, so a reload attaches to it."""

    instance: UUID
    command: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt to run. Times are microseconds by the database's clock.

    step        the declaration (`define.Step`, options applied)
    arguments   the encoded JSON array
    decoded     the same as the body gets them, for this attempt alone; None if nobody has decoded them yet
    asked_at    when the workflow asked for the step
    first_at    when the first attempt began; None if this is the first
    claimed     taken from the cluster's queue: its outcome goes to the instance by message, wherever that lives
    """

    key: BodyKey
    instance_id: str
    definition: str
    attempt: int
    step: Any
    arguments: bytes
    decoded: Decoded | None = None
    asked_at: int
    first_at: int | None = None
    claimed: bool = False

    @property
    def begun(self) -> bool:
        """Whether it is written down as begun before it is handed over, so that it is not to be dropped."""
        return bool(self.step.options.at_most_once)


Result = tuple[bytes, Any]
"""What a body returned: as JSON, and what decoding that gives, for one reader alone; UNSET if nobody has decoded it."""


class Succeeded(msgspec.Struct, frozen=True):
    """The attempt returned; `result` is encoded, `value` decoded, see `Result`."""

    result: bytes
    started_at: int
    ended_at: int
    value: Any = msgspec.UNSET


class Errored(msgspec.Struct, frozen=True):
    """The attempt failed. `delay` is the seconds until the next attempt; None: this failure is final."""

    error: bytes
    started_at: int
    ended_at: int
    delay: float | None


class Delivered(msgspec.Struct, frozen=True):
    """The attempt has committed its result itself, as a message to the instance."""

    started_at: int
    ended_at: int


Outcome = Succeeded | Errored | Delivered


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a body has said by now. `details` is JSON, None if it gave none; so are `done` and `total`."""

    instance: UUID
    command: int
    attempt: int
    done: float | None
    total: float | None
    note: str
    details: str | None
