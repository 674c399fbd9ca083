"""A frozen owner: SIGSTOP for less than the lease or longer than it, then SIGCONT."""

from __future__ import annotations

import signal

from tests.chaos.faults.fault import Fault


class Frozen(Fault):
    """The process is there, with its locks and connections, and does nothing."""

    async def begin(self) -> None:
        self.hit.add(self.node.pid)
        self.node.signal(signal.SIGSTOP)

    async def heal(self) -> None:
        self.node.signal(signal.SIGCONT)
