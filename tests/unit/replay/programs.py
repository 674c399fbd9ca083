"""Random workflows: trees of asyncio's constructs, and how to run one on any loop.

Each node runs at most once and has a number of its own; its duration is a few long units plus 2**number µs.
So no two moments of a run coincide, whichever durations they are the sum of, and two loops cannot differ by
how they order simultaneous timers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import strategies as st

MOST_NODES = 24
UNIT = 2 ** (MOST_NODES + 1)  # µs: longer than all the small parts together

LEAVES = ("sleep", "step", "fail", "receive", "boom", "yield", "cancel", "join", "timer")
CONTAINERS = ("seq", "gather", "gather_all", "wait_for", "timeout", "group", "shield", "spawn", "wait_first")
CONTAINERS += ("as_completed", "try", "catch_all", "finally", "generator", "locked")
SIGNALS = ("x", "y")


_spawned = ContextVar("spawned", default=1000)  # which of the run's tasks this is, or is part of


@dataclass
class Node:
    """One construct. `units` makes its duration, `which` chooses among tasks, signals or ways."""

    kind: str
    units: int
    which: int
    children: list[Node] = field(default_factory=list)
    number: int = 0

    @property
    def micros(self) -> int:
        return self.units * UNIT + 2**self.number

    @property
    def seconds(self) -> float:
        return self.micros / 1e6

    def __repr__(self) -> str:
        inner = "".join(f", {child!r}" for child in self.children)
        return f"{self.kind}({self.number}: {self.units}, {self.which}{inner})"


@dataclass
class Program:
    """A workflow, and what happens to it: signals and a cancel, at their times in µs."""

    root: Node
    signals: list[tuple[int, str]]
    cancel: int | None

    def __repr__(self) -> str:
        return f"Program({self.root!r}, signals={self.signals}, cancel={self.cancel})"


def _leaf() -> st.SearchStrategy[Node]:
    return st.builds(Node, st.sampled_from(LEAVES), st.integers(0, 3), st.integers(0, 3))


def _container(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(children, min_size=1, max_size=3)
    return st.builds(Node, st.sampled_from(CONTAINERS), st.integers(0, 4), st.integers(0, 3), several)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A program of at most MOST_NODES nodes, with its signals and perhaps a cancel."""
    tree = st.recursive(_leaf(), _container, max_leaves=10)
    root = Node("seq", 0, 0, draw(st.lists(tree, min_size=1, max_size=4)))
    arrivals = draw(st.lists(st.tuples(st.integers(0, 6), st.sampled_from(SIGNALS)), max_size=4))
    cancel = draw(st.none() | st.integers(0, 6))
    return _program(root, arrivals, cancel)


def seeded(seed: int) -> Program:
    """A program that is the same on every Python version."""
    chance = Random(seed)
    root = Node("seq", 0, 0, [_tree(chance, 3) for _ in range(chance.randint(1, 4))])
    arrivals = [(chance.randrange(7), chance.choice(SIGNALS)) for _ in range(chance.randrange(5))]
    return _program(root, arrivals, chance.choice([None, None, chance.randrange(7)]))


def _tree(chance: Random, depth: int) -> Node:
    units, which = chance.randrange(5), chance.randrange(4)
    if depth == 0 or chance.random() < 0.3:
        return Node(chance.choice(LEAVES), units, which)
    children = [_tree(chance, depth - 1) for _ in range(chance.randint(1, 3))]
    return Node(chance.choice(CONTAINERS), units, which, children)


def _program(root: Node, arrivals: list[tuple[int, str]], cancel: int | None) -> Program:
    free = _number(root, MOST_NODES - len(arrivals) - 1)
    signals = [(units * UNIT + 2 ** (free + n), name) for n, (units, name) in enumerate(arrivals)]
    at = None if cancel is None else cancel * UNIT + 2 ** (free + len(arrivals))
    return Program(root, sorted(signals), at)


def _number(root: Node, most: int) -> int:
    """Number the nodes level by level, and cut off those over the limit. Returns the next free number."""
    level, number = [root], 0
    while level:
        below: list[Node] = []
        for node in level:
            node.number = number
            number += 1
        for node in level:
            node.children = node.children[: max(0, most - number - len(below))]
            below += node.children
        level = below
    return number


class Boom(Exception):
    """What a program raises."""


class Run:
    """One run of a program. `step` and `receive` are what differs between loops; `trace` is what it did."""

    def __init__(
        self, step: Callable[[Node], Awaitable[Any]], receive: Callable[[str], Awaitable[Any]]
    ) -> None:
        self.step, self.receive = step, receive
        self.trace: list[Any] = []
        self.over = False  # nothing more is to begin
        self._tasks: list[asyncio.Task[Any]] = []
        self._lock = asyncio.Lock()

    def _note(self, *what: Any) -> None:
        self.trace.append((round(asyncio.get_running_loop().time() * 1e6), *what))

    async def run(self, node: Node) -> Any:
        """Run one node; what it returns is text and numbers only."""
        if self.over:
            raise Boom("over")
        self._note(node.kind, node.number)
        try:
            result = await getattr(self, f"_{node.kind}")(node)
        except BaseException as error:
            self._note("raised", node.number, describe(error))
            raise
        self._note("done", node.number, result)
        return result

    async def _each(self, nodes: list[Node]) -> Any:
        return [await self.run(each) for each in nodes]

    def _task(self, node: Node) -> asyncio.Task[Any] | None:
        return self._tasks[node.which % len(self._tasks)] if self._tasks else None

    # -- leaves --

    async def _sleep(self, node: Node) -> Any:
        return await asyncio.sleep(node.seconds, node.number)

    async def _step(self, node: Node) -> Any:
        return await self.step(node)

    async def _fail(self, node: Node) -> Any:
        return await self.step(node)

    async def _receive(self, node: Node) -> Any:
        return await self.receive(SIGNALS[node.which % len(SIGNALS)])

    async def _boom(self, node: Node) -> Any:
        raise Boom(node.number)

    async def _yield(self, node: Node) -> Any:
        for _ in range(node.units):
            await asyncio.sleep(0)

    async def _cancel(self, node: Node) -> Any:
        task = self._task(node)
        return task and task.cancel()

    async def _join(self, node: Node) -> Any:
        """Only a task that was spawned earlier: to cancel a ring of tasks is an endless recursion."""
        earlier = self._tasks[: _spawned.get()]
        return await earlier[node.which % len(earlier)] if earlier else None

    async def _timer(self, node: Node) -> Any:
        done = asyncio.Event()
        handle = asyncio.get_running_loop().call_later(node.seconds, done.set)
        if node.which == 0:
            handle.cancel()
            return None
        return await done.wait()

    # -- containers --

    async def _seq(self, node: Node) -> Any:
        return await self._each(node.children)

    async def _gather(self, node: Node) -> Any:
        return await asyncio.gather(*[self.run(each) for each in node.children])

    async def _gather_all(self, node: Node) -> Any:
        results = await asyncio.gather(*[self.run(each) for each in node.children], return_exceptions=True)
        return [describe(each) if isinstance(each, BaseException) else each for each in results]

    async def _wait_for(self, node: Node) -> Any:
        return await asyncio.wait_for(self._each(node.children), node.seconds)

    async def _timeout(self, node: Node) -> Any:
        async with asyncio.timeout(node.seconds):
            return await self._each(node.children)

    async def _group(self, node: Node) -> Any:
        async with asyncio.TaskGroup() as group:
            group._tasks = InOrder()  # type: ignore[assignment]
            tasks = [group.create_task(self.run(each)) for each in node.children]
        return [task.result() for task in tasks]

    async def _shield(self, node: Node) -> Any:
        return await asyncio.shield(self._each(node.children))

    async def _spawn(self, node: Node) -> Any:
        for each in node.children:
            self._tasks.append(asyncio.create_task(self._numbered(len(self._tasks), each)))

    async def _numbered(self, number: int, node: Node) -> Any:
        _spawned.set(number)
        return await self.run(node)

    async def _wait_first(self, node: Node) -> Any:
        tasks = [asyncio.create_task(self.run(each)) for each in node.children]
        done, pending = await asyncio.wait(tasks, timeout=node.seconds, return_when=asyncio.FIRST_COMPLETED)
        if node.which:
            for task in sorted(pending, key=tasks.index):
                task.cancel()
        return sorted(tasks.index(task) for task in done)

    async def _as_completed(self, node: Node) -> Any:
        tasks = [asyncio.create_task(self.run(each)) for each in node.children]
        results = []
        for each in asyncio.as_completed(tasks, timeout=node.seconds):
            results.append(await each)  # noqa: PERF401 - not an asynchronous iterator before 3.13
        return results

    async def _try(self, node: Node) -> Any:
        try:
            return await self._each(node.children[:1])
        except Exception as error:
            return [describe(error), await self._each(node.children[1:])]

    async def _catch_all(self, node: Node) -> Any:
        try:
            return await self._each(node.children[:1])
        except BaseException as error:
            await self._each(node.children[1:])
            if node.which == 0:
                raise
            return describe(error)

    async def _finally(self, node: Node) -> Any:
        try:
            return await self._each(node.children[:1])
        finally:
            await self._each(node.children[1:])

    async def _generator(self, node: Node) -> Any:
        async def source() -> Any:
            for each in node.children:
                yield await self.run(each)

        return [item async for item in source()]

    async def _locked(self, node: Node) -> Any:
        async with self._lock:
            return await self._each(node.children)


class InOrder(dict[Any, None]):
    """A set in the order of insertion: task groups cancel in the order of theirs, which differs by loop."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)


def describe(error: BaseException) -> str:
    """An exception in words that are the same on every loop."""
    if isinstance(error, BaseExceptionGroup):
        return f"{type(error).__name__}({', '.join(describe(each) for each in error.exceptions)})"
    if isinstance(error, RuntimeError):
        return "RuntimeError"  # its text has addresses in it
    return f"{type(error).__name__}({error})"
