"""Hints off: every listening connection is ended, and none comes through any more."""

from __future__ import annotations

from typing import Final

from tests.chaos.faults.fault import Fault
from tests.store.proxy import Fault as Cut

LISTENERS: Final = b"orquestrax hints"
END: Final = (
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'orquestrax hints'"
)


class HintsOff(Fault):
    """Of all nodes and clients. Half of the time the listeners are only killed, and come back."""

    async def begin(self) -> None:
        self._cuts = []
        if self.dice.random() < 0.5:
            for proxy in (*(node.proxy for node in self.cluster.nodes), self.cluster.front):
                cut = Cut("before", lambda _kind, _body: True, times=1_000_000, on=LISTENERS)
                self._cuts.append((proxy, proxy.fault(cut)))
        await self.cluster.rows(END)

    async def heal(self) -> None:
        for proxy, cut in self._cuts:
            proxy.faults.remove(cut)
