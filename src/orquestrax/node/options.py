"""How an engine behaves."""

from __future__ import annotations

import msgspec

from orquestrax.base.errors import SettingsError
from orquestrax.settings import Settings


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, `capacity` in instances held in memory.

    heartbeat    between two signs of life
    lease        of silence after which the other nodes take over what this one holds: three heartbeats at least
    margin       before the end of its lease a node that cannot renew it starts no more bodies; a fifth of the lease
    poll         between two looks at what is due, and at the other nodes
    upkeep       between two sweeps of what nobody needs any more
    grace        that running bodies have to end in when somebody wants the node to drain and says no other
    stuck_after  seconds without a turn of the event loop until the log says who holds it
    exits        whether the process ends when its loop hangs: for processes that are nothing but a node

    Errors: SettingsError if the lease is too short for the heartbeat.
    """

    capacity: int = 10_000
    park_after: float = 30.0
    poll: float = 1.0
    heartbeat: float = 2.0
    lease: float = 10.0
    margin: float | None = None
    upkeep: float = 60.0
    lanes: int = 2
    grace: float = 10.0
    stuck_after: float = 5.0
    exits: bool = False

    def __post_init__(self) -> None:
        if self.lease < 3 * self.heartbeat:
            raise SettingsError(
                f"the lease is {self.lease:g} s and the heartbeat {self.heartbeat:g} s: "
                "a lease is three heartbeats at least, or nodes that live are taken over"
            )


def engine_options(settings: Settings, *, exits: bool = False, grace: float = 10.0) -> EngineOptions:
    """Those that settings name. Raises SettingsError."""
    return EngineOptions(
        heartbeat=settings.heartbeat, lease=settings.lease, poll=settings.poll, exits=exits, grace=grace
    )
