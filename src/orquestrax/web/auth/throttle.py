"""How often an address may be wrong before it has to wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

MOST: Final = 10
WITHIN: Final = 60.0  # seconds
ADDRESSES: Final = 10_000  # the one that was wrong first makes room


class Throttle:
    """Counts wrong tokens by address. While an address waits, right ones are refused too: else it could go on
    guessing.

    clock  seconds that only rise
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._faults: dict[str, deque[float]] = {}

    def wait(self, address: str) -> int:
        """Seconds until the address may try again, rounded up; 0 if it may now."""
        faults = self._faults.get(address)
        if faults is None:
            return 0
        now = self._clock()
        while faults and now - faults[0] >= WITHIN:
            faults.popleft()
        if not faults:
            del self._faults[address]
        return int(faults[0] + WITHIN - now) + 1 if len(faults) >= MOST else 0

    def fault(self, address: str) -> None:
        """The address was wrong."""
        if address not in self._faults and len(self._faults) >= ADDRESSES:
            del self._faults[next(iter(self._faults))]
        self._faults.setdefault(address, deque(maxlen=MOST)).append(self._clock())
