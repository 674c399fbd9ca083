"""Hints between simulated processes: late, and some are lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from tests.simulation.network import Network
from tests.simulation.world import ProcessLoop

GATHER: Final = 0.003


class Bus:
    """Everybody who listens."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.members: dict[str, Hints] = {}

    def send(self, sender: ProcessLoop, channel: str, payload: str) -> None:
        if not self.network.reaches(sender.name):
            return
        world = self.network.world
        for member in self.members.values():
            if channel in member.listeners and world.random.random() >= self.network.lost_hints:
                arrive = member.hearing(channel, payload)
                world.after(GATHER + self.network.latency(), arrive)


class Hints:
    """One process's part; the face of `core.store.hints.Hints`."""

    def __init__(self, bus: Bus, loop: ProcessLoop) -> None:
        self._bus, self._loop = bus, loop
        self.listeners: dict[str, list[Callable[[str], None]]] = {}
        bus.members[loop.name] = self

    def listen(self, name: str, listener: Callable[[str], None]) -> Callable[[], None]:
        listeners = self.listeners.setdefault(name, [])
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    def work(self) -> None:
        self._bus.send(self._loop, "work", "")

    def orders(self) -> None:
        self._bus.send(self._loop, "orders", "")

    def tasks(self) -> None:
        self._bus.send(self._loop, "tasks", "")

    def gone(self) -> None:
        self._bus.send(self._loop, "gone", "")

    def node(self, fence: int) -> None:
        self._bus.send(self._loop, f"node.{fence}", "")

    def view(self, key: UUID) -> None:
        self._bus.send(self._loop, "view", str(key))

    def ended(self, key: UUID) -> None:
        self.view(key)

    def hearing(self, channel: str, payload: str) -> Callable[[], None]:
        """What happens when a hint arrives here."""

        def tell() -> None:
            for listener in list(self.listeners.get(channel, ())):
                listener(payload)

        def arrive() -> None:
            if self._bus.network.reaches(self._loop.name):
                self._loop.call_soon(tell)

        return arrive
