"""Which queues this node serves, and which of them other live nodes serve as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orquestrax.model.queues import ALL, EVERY, Served


class Peers:
    """What is known of the others may be a poll old: that costs time, never a step.

    spreads  whether any step of this node may have to go elsewhere; while it is False nobody need ask
    """

    __slots__ = ("_all", "_queues", "served", "spreads")

    def __init__(self, served: Served = ALL) -> None:
        self.served = served
        self._queues: frozenset[str] = frozenset()
        self._all = False
        self.spreads = served.names is not None

    def observe(self, others: Iterable[Sequence[str]]) -> bool:
        """The queues that each other live node serves; True if more of them are shared than before."""
        queues = frozenset(queue for each in others for queue in each)
        grown = not queues <= self._queues
        self._queues, self._all = queues, EVERY in queues
        self.spreads = self.served.names is not None or bool(queues)
        return grown

    def serves(self, queue: str) -> bool:
        """Whether this node serves the queue."""
        return self.served.serves(queue)

    def shares(self, queue: str) -> bool:
        """Whether another live node serves it."""
        return self._all or queue in self._queues
