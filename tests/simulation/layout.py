"""Which node of a plan does what: its roles, the queues that it serves, its slots.

Whatever a seed draws, once all nodes are up some own instances, and each queue but `nowhere` is served.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orquestrax.define.catalogue import collect
from orquestrax.define.workflow import Workflow
from orquestrax.model.queues import NONE, read_queues
from orquestrax.node.part import Part


@dataclass(frozen=True)
class Role:
    """Of one node."""

    roles: tuple[str, ...] = ("engine", "worker")
    queues: str = "*"
    slots: int = 100

    def part(self, workflows: Mapping[str, Workflow[..., Any]]) -> Part:
        """As `node.part` makes it of settings."""
        return Part(
            roles=self.roles,
            workflows=workflows if "engine" in self.roles else {},
            steps=collect(workflows=workflows.values()).steps,
            served=read_queues(self.queues, "the plan") if "worker" in self.roles else NONE,
            slots={"async": self.slots, "thread": 0, "process": 0},
        )


def alone(dice: random.Random, nodes: int) -> list[Role]:
    """Each node runs the steps of its own instances."""
    slots = dice.choice((2, 100))
    return [Role(slots=slots)] * nodes


def clustered(dice: random.Random, nodes: int) -> list[Role]:
    """A cluster whose steps go where their queues are served, or where there is room."""
    kind = dice.choice(("alike", "alike", "split", "special"))
    few = dice.choice((1, 1, 2, 4))
    if kind == "alike":
        return [Role(slots=few)] * nodes
    if kind == "split":
        queues = [dice.choice(("*", "default,gpu:1", "gpu,default:2")) for _ in range(nodes - 1)]
        last = dice.choice((("worker",), ("engine", "worker")))
        workers = [Role(("worker",), each, few) for each in queues]
        return [Role(("engine",)), *workers[:-1], Role(last, queues[-1], few)]
    roles = dice.choice((("worker",), ("engine", "worker")))
    first, second = Role(queues="default", slots=few), Role(roles, dice.choice(("gpu:1", "gpu,default")), few)
    return [first, second, *[Role(slots=few)] * (nodes - 2)]
