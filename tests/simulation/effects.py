"""What bodies leave outside of the database.

Every body returns a token that no other run of a body returns, and is given tokens of steps before it. So a body that
acted on something that was never committed can be told by the token that it was given.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orquestrax as ox
from tests.checker import Body
from tests.simulation.process import NodeProcess
from tests.simulation.world import World


@dataclass
class Effects:
    """The bodies that began, in the order of their beginning.

    nodes  the node of each event loop
    cut    when bodies were told to stop, by token
    kills  how many nodes a body of each instance has ended, by id; `kill` ends one
    """

    world: World
    kill: Callable[[NodeProcess], None]
    nodes: dict[Any, NodeProcess] = field(default_factory=dict)
    bodies: list[Body] = field(default_factory=list)
    cut: dict[str, int] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    def begin(self, given: list[str], *, once: bool) -> str:
        """A body begins: it is noted down before it takes any time."""
        info, node = ox.step_info(), self.nodes[asyncio.get_running_loop()]
        token = f"{info.instance_id}/{info.command}.{info.attempt}#{len(self.bodies)}"
        self.bodies.append(
            Body(
                at=self.world.time, node=node.fence or 0, instance=info.instance_id, command=info.command,
                attempt=info.attempt, given=tuple(given), token=token, once=once,
            )
        )  # fmt: skip
        return token


_effects: list[Effects] = []  # of the simulation that runs now


def use(effects: Effects) -> None:
    """What bodies do goes there from now on."""
    _effects[:] = [effects]


async def act(given: list[str], *, longest: float = 0.05, once: bool = False) -> str:
    """A body that takes up to so many seconds, mostly few."""
    effects = _effects[0]
    token = effects.begin(given, once=once)
    try:
        await asyncio.sleep(effects.world.random.random() ** 4 * longest)
    except asyncio.CancelledError:
        effects.cut[token] = effects.world.time
        raise
    return token


async def kill(given: list[str], most: int) -> str:
    """A body that ends the process that runs it, the first `most` times."""
    effects, instance = _effects[0], ox.step_info().instance_id
    token = await act(given)
    if effects.kills[instance] < most:
        effects.kills[instance] += 1
        effects.kill(effects.nodes[asyncio.get_running_loop()])
        await asyncio.get_running_loop().create_future()
    return token
