"""Who is first: the commit, or whoever no longer waits for it. The two may be in different threads."""

from __future__ import annotations

import threading


class Ticket:
    """Taken once: by `commits` or by `revoke`."""

    __slots__ = ("_lock", "_revoked", "_taken")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = self._revoked = False

    def commits(self) -> bool:
        """Begin to commit; False if nobody waits for it any more."""
        with self._lock:
            self._taken = not self._revoked
            return self._taken

    def revoke(self) -> bool:
        """Forbid the commit; False if it has begun."""
        with self._lock:
            self._revoked = not self._taken
            return self._revoked
