"""One seed: nodes, clients and faults as planned, until everything has ended; then the verdict."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orquestrax.base import ids
from orquestrax.core import wholerun
from tests.checker import Call
from tests.simulation import effects, flows
from tests.simulation.calls import calling, watching
from tests.simulation.faults import Faults
from tests.simulation.hints import Bus
from tests.simulation.model.database import Database
from tests.simulation.model.tables import ENDED
from tests.simulation.network import Network
from tests.simulation.plan import Plan, plan_of
from tests.simulation.process import NodeProcess, Process
from tests.simulation.server import Server
from tests.simulation.trace import Trace
from tests.simulation.verdict import judge
from tests.simulation.world import World


@dataclass
class Simulation:
    """One run. `problems` is empty if every promise was kept."""

    plan: Plan
    database: Any = field(default_factory=Database)
    problems: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = World(self.plan.seed)
        self.trace = Trace()
        self.network = Network(self.world)
        self.server = Server(self.world, self.database, self.trace, self._pace)
        self.bus = Bus(self.network)
        self.faults = Faults(self)
        self.effects = effects.Effects(self.world, self.faults.kill)
        self.slow_commits = self.plan.slow_commits
        self.nodes: list[NodeProcess | None] = [None] * self.plan.nodes
        self.processes: list[Process] = []
        self.gone: set[str] = set()
        self._boots = self._looked = 0

    def run(self) -> None:
        """To the end, and judge."""
        with _seeded(self.plan.seed, self.world):
            effects.use(self.effects)
            self.clients = self._new(Process(self, "client"))
            for number in range(self.plan.nodes):
                self.boot(number)
            self._begin()
            self.world.run(self._done, self.plan.end)
            self.problems += self.world.faults + self.server.witnesses.broken
            self.problems += judge(self)  # first: while it is wound up, timers of the dead start bodies
            self._wind_up()

    # -- what is planned --

    def _begin(self) -> None:
        for name, rate in self.plan.rates.items():
            setattr(self.network, name, rate)
        self.server.refusing = self.plan.refusing
        self.faults.arrange()
        self.world.after(self.plan.calm_at, self._calm)
        for job in self.plan.jobs:
            calling(self, job)
            if job.flow == "poison":
                watching(self, job)

    def _calm(self) -> None:
        self.network.calm()
        self.slow_commits = self.server.refusing = 0.0

    def _pace(self) -> float:
        """How long a transaction takes on the server."""
        dice = self.world.random
        if dice.random() < self.slow_commits:
            return dice.uniform(0.5, 14.0)
        return 0.0003 + 0.002 * dice.random() ** 3

    def _done(self) -> bool:
        """Everything has ended and nobody waits for an answer: checked now and then, as time goes on."""
        looked, self._looked = self._looked, len(self.trace.lines)
        return looked != self._looked and all(call.over for call in self.calls) and self._ended()

    def _ended(self) -> bool:
        if any(node.leaving is not None and not node.loop.killed for node in self.faults.drained):
            return False
        if self.world.now <= (self.plan.calm_at if self.plan.faults else self.plan.calm_at / 3):
            return False
        return all(status in ENDED for status in self.database.statuses())

    # -- processes --

    def boot(self, number: int, machine: str = "") -> None:
        """A process for this node; on the same machine as its predecessor, it knows that one to be gone."""
        self._boots += 1
        name = f"node{number}.{self._boots}"
        node = NodeProcess(self, name, self.plan.parts[number].part(flows.FLOWS), machine or name)
        self.nodes[number] = node
        self.effects.nodes[node.loop] = node
        self._new(node)

    def _new(self, process: Any) -> Any:
        self.processes.append(process)
        return process

    def _wind_up(self) -> None:
        for process in self.processes:
            process.loop.wind_up(process.close)


@contextmanager
def _seeded(seed: int, world: World) -> Iterator[None]:
    """Ids and dice that the engine takes from elsewhere follow from the seed, too."""
    factory, dice = ids._factory, wholerun._random
    ids._factory = ids.UuidFactory(lambda: world.time * 1_000, lambda: random.Random(seed))
    wholerun._random = random.Random(seed)
    try:
        yield
    finally:
        ids._factory, wholerun._random = factory, dice


def simulate(seed: int, database: Any = None) -> Simulation:
    """Run one seed."""
    simulation = Simulation(plan_of(seed), *([] if database is None else [database]))
    simulation.run()
    return simulation
