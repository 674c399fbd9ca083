"""How an engine behaves."""

from __future__ import annotations

import msgspec


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, `capacity` in instances held in memory.

    stuck_after  seconds without a turn of the event loop until the log says who holds it
    exits        whether the process ends when its loop hangs: for processes that are nothing but a node
    """

    capacity: int = 10_000
    park_after: float = 30.0
    poll: float = 1.0
    heartbeat: float = 2.0
    lanes: int = 2
    stuck_after: float = 5.0
    exits: bool = False
