"""What a plan has in store for nodes: they are killed, frozen, cut off, told to drain, and come back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.simulation.plan import Fault
from tests.simulation.process import NodeProcess

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


class Faults:
    """Strikes nodes of one simulation. `drained` are the processes that were told to end cleanly."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.world, self.network = simulation.world, simulation.network
        self.outages: list[tuple[int, int]] = []
        self.drained: list[NodeProcess] = []

    def arrange(self) -> None:
        """All that the plan has in store."""
        for fault in self._simulation.plan.faults:
            self.world.after(fault.at, partial(self._strike, fault))

    def kill(self, node: NodeProcess) -> None:
        """A body has ended the process that runs it; another one is started, on the same machine or not."""
        dice = self.world.random
        number = next((n for n, each in enumerate(self._simulation.nodes) if each is node), None)
        if number is None:  # it was leaving, and has a successor
            node.kill()
        else:
            self._kill(number, node, dice.random() * 5, same_machine=dice.random() < 0.5)

    def _strike(self, fault: Fault) -> None:
        if fault.kind == "outage":
            self._outage(fault)
            return
        numbers = range(self._simulation.plan.nodes) if fault.kind == "kill all" else [fault.node]
        for number in numbers:
            node = self._simulation.nodes[number]
            if node is None or (node.leaving is not None and fault.kind.startswith("drain")):
                continue
            if fault.kind.startswith("kill"):
                self._kill(number, node, fault.seconds, same_machine=fault.same_machine)
            elif fault.kind.startswith("drain"):
                self._drain(number, node, fault)
            elif fault.kind == "cut":
                self._cut(node, fault)
            else:
                self._freeze(node, fault)

    def _kill(self, number: int, node: NodeProcess, seconds: float, *, same_machine: bool) -> None:
        machine = node.machine.boot_id if same_machine else ""
        node.loop.frozen = False
        node.kill()
        self._boot_later(number, seconds, machine)

    def _drain(self, number: int, node: NodeProcess, fault: Fault) -> None:
        """A clean stop; its successor is there at once, or when it has ended."""
        self.drained.append(node)
        machine = node.machine.boot_id if fault.same_machine else ""
        if fault.kind == "drain":
            self._simulation.boot(number, machine)
        else:
            node.on_exit = lambda: self._boot_later(number, fault.seconds, machine)
        if fault.kind == "drain by order":
            self._order(node)
        else:
            node.terminate()

    def _order(self, node: NodeProcess) -> None:
        """By `orquestrax drain`, from elsewhere: heard with a heartbeat, if the order arrives."""
        clients, fence = self._simulation.clients, node.fence
        if fence is not None:
            clients.run(lambda: clients.order_to_drain(fence, node.grace))

    def _boot_later(self, number: int, seconds: float, machine: str) -> None:
        self._simulation.nodes[number] = None
        self.world.after(seconds, lambda: self._simulation.boot(number, machine))

    def _cut(self, node: NodeProcess, fault: Fault) -> None:
        self.network.cut.add(node.loop.name)
        self.world.after(fault.seconds, lambda: self.network.cut.discard(node.loop.name))

    def _outage(self, fault: Fault) -> None:
        """Nobody reaches the database, which is nobody's death."""
        self.network.down += 1
        self.outages.append((self.world.time, self.world.time + round(fault.seconds * 1_000_000)))

        def over() -> None:
            self.network.down = max(0, self.network.down - 1)

        self.world.after(fault.seconds, over)

    def _freeze(self, node: NodeProcess, fault: Fault) -> None:
        node.loop.frozen = True

        def thaw() -> None:
            node.loop.frozen = False

        self.world.after(fault.seconds, thaw)
        if fault.kind == "thaw at death":
            self._simulation.server.on_exclusive = lambda fence: thaw() if fence == node.fence else None
