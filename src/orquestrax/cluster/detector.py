"""Death is observed, not computed: the same heartbeat counter for a whole lease of the observer's own clock.

No two clocks are compared, and only time in which the observer itself saw the database counts: after a gap between
its looks everybody is given a whole lease anew. So neither an outage of the database, nor a clock that jumps, nor an
observer that was frozen makes anybody suspect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Seen(NamedTuple):
    """A node's row as a look found it: the counter, and for how long (seconds) the node may be silent."""

    heartbeat: int
    lease: float


class FailureDetector:
    """Pure: it is told the times. `gap` is how far apart (seconds) two looks may be and still count as one watch."""

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._since: dict[int, tuple[int, float]] = {}
        self._looked: float | None = None

    def look(self, nodes: Mapping[int, Seen], *, sent: float, received: float) -> list[int]:
        """What a look between these two moments found, by fence; returns those that are suspect now.

        A counter was there by the time its first look was answered, and still there when this one was asked for.
        """
        if self._looked is not None and received - self._looked > self._gap:
            self._since.clear()
        self._looked = received
        for fence in self._since.keys() - nodes.keys():
            del self._since[fence]
        suspects = []
        for fence, (heartbeat, lease) in nodes.items():
            counter, since = self._since.get(fence, (None, received))
            if counter != heartbeat:
                self._since[fence] = (heartbeat, received)
            elif sent - since >= lease:
                suspects.append(fence)
        return suspects

    def next_due(self, nodes: Mapping[int, Seen], now: float) -> float:
        """Seconds until the first of these can be suspect if it stays silent; infinite without any."""
        ends = [since + nodes[fence].lease for fence, (_, since) in self._since.items() if fence in nodes]
        return max(0.0, min(ends) - now) if ends else float("inf")
