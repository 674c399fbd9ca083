"""Random workflows as Python source: a function for each construct, and what happens to the program.

Each function runs at most once and has a number of its own; its duration is a few long units plus 2**number µs.
So no two moments of a run coincide, whichever durations they are the sum of, and two loops cannot differ by
how they order simultaneous timers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from textwrap import dedent, indent
from typing import Any, Final

from tests.unit.replay.constructs import BODIES, ROOTS, kinds

MOST_NODES: Final = 24
UNIT: Final = 2 ** (MOST_NODES + 1)  # µs: longer than all the small parts together
SIGNALS: Final = ("x", "y")
SHARED: Final = {
    "lock": "asyncio.Lock()",
    "semaphore": "asyncio.Semaphore(2)",
    "bounded": "asyncio.BoundedSemaphore(1)",
    "event": "asyncio.Event()",
    "condition": "asyncio.Condition()",
    "barrier": "asyncio.Barrier(2)",
    "queue": "asyncio.Queue(1)",
    "priority": "asyncio.PriorityQueue()",
    "lifo": "asyncio.LifoQueue(2)",
    "promise": "asyncio.get_running_loop().create_future()",
    "letter": "contextvars.ContextVar('letter', default=0)",
}


@dataclass
class Node:
    """One construct. `units` makes its duration, `which` chooses among tasks, signals or ways."""

    kind: str
    units: int
    which: int
    children: list[Node] = field(default_factory=list)
    number: int = 0

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.number}"

    def source(self) -> str:
        names = [child.name for child in self.children]
        body = dedent(BODIES[self.kind]).strip("\n")
        filled = body.format(
            n=self.number,
            s=repr((self.units * UNIT + 2**self.number) / 1e6),
            u=self.units,
            w=self.which,
            signal=SIGNALS[self.which % len(SIGNALS)],
            all=", ".join(names),
            first="".join(names[:1]),
            rest=", ".join(names[1:]),
            runs=", ".join(f"run({name})" for name in names),
        )
        return f"async def {self.name}():\n{indent(filled, '    ')}\n"


@dataclass
class Program:
    """The source of a workflow, and what happens to it: signals and a cancel, at their times in µs.

    The last function is the main one.
    """

    source: str
    signals: list[tuple[int, str]]
    cancel: int | None

    @cached_property
    def code(self) -> Any:
        return compile(self.source, "<program>", "exec")

    @property
    def main(self) -> str:
        return re.findall(r"^async def (\w+)", self.source, re.MULTILINE)[-1]

    def __repr__(self) -> str:
        happens = [f"signal {name!r} at {at / 1e6} s" for at, name in self.signals]
        happens += [] if self.cancel is None else [f"cancelled at {self.cancel / 1e6} s"]
        return "".join(f"# {each}\n" for each in happens) + self.source


def program(root: Node, arrivals: list[tuple[int, str]], cancel: int | None) -> Program:
    """Numbers the nodes and writes them down, the main one last."""
    nodes = _number(root, MOST_NODES - len(arrivals) - 1)
    free = len(nodes)
    signals = [(units * UNIT + 2 ** (free + n), name) for n, (units, name) in enumerate(arrivals)]
    at = None if cancel is None else cancel * UNIT + 2 ** (free + len(arrivals))
    functions = "\n".join(node.source() for node in reversed(nodes))
    shared = [f"{name} = {made}\n" for name, made in SHARED.items() if re.search(rf"\b{name}\b", functions)]
    return Program("\n".join(["".join(shared), functions]).strip("\n") + "\n", sorted(signals), at)


def _number(root: Node, most: int) -> list[Node]:
    """The nodes level by level, numbered; those over the limit are cut off."""
    found: list[Node] = []
    level = [root]
    while level:
        below: list[Node] = []
        for node in level:
            node.number = len(found)
            found.append(node)
        for node in level:
            had = bool(node.children)
            node.children = node.children[: max(0, most - len(found) - len(below))]
            if had and not node.children:
                node.kind = "sleep_zero"
            below += node.children
        level = below
    return found


def drawn(chance: Random, version: tuple[int, int]) -> Program:
    """A program of what this Python version has. What `chance` draws first is the simplest."""
    root = chance.choice(ROOTS)
    trees = [_tree(chance, 3, version) for _ in range(chance.randint(1, 6))]
    trees.append(_tree(chance, 0, version))
    arrivals = [(chance.randrange(7), chance.choice(SIGNALS)) for _ in range(chance.randrange(5))]
    cancel = chance.choice([None, None, chance.randrange(7)])
    return program(Node(root, 0, 0, trees), arrivals, cancel)


def _tree(chance: Random, depth: int, version: tuple[int, int]) -> Node:
    leaf = depth == 0 or chance.randrange(5) < 2
    kind = chance.choice(kinds(containers=not leaf, version=version))
    units, which = chance.randrange(5), chance.randrange(4)
    children = (
        [] if leaf else [_tree(chance, depth - 1, version) for _ in range(chance.choice((1, 1, 2, 2, 3)))]
    )
    return Node(kind, units, which, children)


def seeded(seed: int, version: tuple[int, int] = (3, 11)) -> Program:
    """A program that is the same on every version."""
    return drawn(Random(seed), version)
