"""Random workflows, each written twice: as an `async def` and as the plain `def` that says the same.

A program is a tree of constructs, one after the other and several at a time, and a list of choices: which of the
things that could happen next does happen. `other` changes from one way of writing to the other and back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from tests.unit.replay.kit import Host, Main, step
from tests.unit.replay.plainly import plain

import orquestrax.replay.context as ox
from orquestrax.model.commands import Receive, RunStep
from orquestrax.replay.bridge import await_, to_greenlet

LEAVES = ("step", "sleep", "receive", "fail", "pause", "draw", "join", "cancel", "boom")
BRANCHES = ("seq", "gather", "collect", "limit", "attempt", "tidy", "cling", "spawn", "first", "other")
NAMES = ("x", "y")
SIGNALS = {8: "x", 9: "y", 10: "x"}  # by choice
CANCEL = 11


@dataclass
class Node:
    """One construct. `n` chooses a name, a duration or a task."""

    kind: str
    n: int
    children: list[Node] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(map(str, [self.n, *self.children]))})"


@dataclass
class Program:
    """A tree, and which of the possible events come in which order."""

    root: Node
    choices: list[int]


def programs() -> st.SearchStrategy[Program]:
    leaf = st.builds(Node, st.sampled_from((*LEAVES[:3] * 4, *LEAVES)), st.integers(0, 3))
    tree = st.recursive(
        leaf,
        lambda children: st.builds(
            Node, st.sampled_from(BRANCHES), st.integers(0, 3), st.lists(children, min_size=1, max_size=3)
        ),
        max_leaves=12,
    )
    root = st.builds(Node, st.just("seq"), st.just(0), st.lists(tree, min_size=1, max_size=4))
    return st.builds(Program, root, st.lists(st.integers(0, 11), min_size=4, max_size=40))


class Boom(Exception):
    """What a program raises."""


class _Run:
    """One run: the tasks that it has spawned, and which constructs it has seen."""

    def __init__(self, seen: set[str]) -> None:
        self.tasks: list[asyncio.Task[Any]] = []
        self.seen = seen

    def task(self, node: Node) -> asyncio.Task[Any] | None:
        others = [task for task in self.tasks if task is not asyncio.current_task()]
        return others[node.n % len(others)] if others else None


class Awaiting(_Run):
    """The program as an `async def`."""

    async def run(self, node: Node) -> Any:
        self.seen.add(node.kind)
        return await getattr(self, f"_{node.kind}")(node)

    async def _step(self, node: Node) -> Any:
        return await step(f"s{node.n}")

    async def _fail(self, node: Node) -> Any:
        return await step(f"f{node.n}")

    async def _sleep(self, node: Node) -> Any:
        return await asyncio.sleep(node.n, node.n)

    async def _receive(self, node: Node) -> Any:
        return await ox.receive(NAMES[node.n % 2], int)

    async def _pause(self, node: Node) -> Any:
        await asyncio.sleep(0)

    async def _boom(self, node: Node) -> Any:
        raise Boom(node.n)

    async def _draw(self, node: Node) -> Any:
        return [str(ox.uuid4()), ox.random().random(), str(ox.now())]

    async def _join(self, node: Node) -> Any:
        task = self.task(node)
        return task and await asyncio.wait([task], timeout=2) and task.done()

    async def _cancel(self, node: Node) -> Any:
        task = self.task(node)
        return task and task.cancel()

    async def _seq(self, node: Node) -> Any:
        return [await self.run(each) for each in node.children]

    async def _gather(self, node: Node) -> Any:
        return await asyncio.gather(*[self.run(each) for each in node.children])

    async def _collect(self, node: Node) -> Any:
        results = await asyncio.gather(*[self.run(each) for each in node.children], return_exceptions=True)
        return [repr(each) if isinstance(each, BaseException) else each for each in results]

    async def _limit(self, node: Node) -> Any:
        return await asyncio.wait_for(self._seq(node), node.n + 0.5)

    async def _attempt(self, node: Node) -> Any:
        try:
            return await self.run(node.children[0])
        except Exception as error:
            return [repr(error), [await self.run(each) for each in node.children[1:]]]

    async def _tidy(self, node: Node) -> Any:
        try:
            return await self.run(node.children[0])
        finally:
            for each in node.children[1:]:
                await self.run(each)

    async def _cling(self, node: Node) -> Any:
        try:
            return await self.run(node.children[0])
        except BaseException:
            await self.run(node.children[-1])
            raise

    async def _spawn(self, node: Node) -> Any:
        self.tasks += [asyncio.create_task(self.run(each)) for each in node.children]

    async def _first(self, node: Node) -> Any:
        tasks = [asyncio.create_task(self.run(each)) for each in node.children]
        done, pending = await asyncio.wait(tasks, timeout=3, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return sorted(tasks.index(task) for task in done)

    async def _other(self, node: Node) -> Any:
        return await self._seq(node)


class Plainly(_Run):
    """The same as a plain `def`."""

    def run(self, node: Node) -> Any:
        self.seen.add(node.kind)
        return getattr(self, f"_{node.kind}")(node)

    def beside(self, node: Node) -> Coroutine[Any, Any, Any]:
        return to_greenlet(self.run, node)

    def _step(self, node: Node) -> Any:
        return await_(step(f"s{node.n}"))

    def _fail(self, node: Node) -> Any:
        return await_(step(f"f{node.n}"))

    def _sleep(self, node: Node) -> Any:
        return await_(asyncio.sleep(node.n, node.n))

    def _receive(self, node: Node) -> Any:
        return await_(ox.receive(NAMES[node.n % 2], int))

    def _pause(self, node: Node) -> Any:
        await_(asyncio.sleep(0))

    def _boom(self, node: Node) -> Any:
        raise Boom(node.n)

    def _draw(self, node: Node) -> Any:
        return [str(ox.uuid4()), ox.random().random(), str(ox.now())]

    def _join(self, node: Node) -> Any:
        task = self.task(node)
        return task and await_(asyncio.wait([task], timeout=2)) and task.done()

    def _cancel(self, node: Node) -> Any:
        task = self.task(node)
        return task and task.cancel()

    def _seq(self, node: Node) -> Any:
        return list(map(self.run, node.children))

    def _gather(self, node: Node) -> Any:
        return await_(asyncio.gather(*map(self.beside, node.children)))

    def _collect(self, node: Node) -> Any:
        results = await_(asyncio.gather(*map(self.beside, node.children), return_exceptions=True))
        return [repr(each) if isinstance(each, BaseException) else each for each in results]

    def _limit(self, node: Node) -> Any:
        return await_(asyncio.wait_for(to_greenlet(self._seq, node), node.n + 0.5))

    def _attempt(self, node: Node) -> Any:
        try:
            return self.run(node.children[0])
        except Exception as error:
            return [repr(error), [self.run(each) for each in node.children[1:]]]

    def _tidy(self, node: Node) -> Any:
        try:
            return self.run(node.children[0])
        finally:
            for each in node.children[1:]:
                self.run(each)

    def _cling(self, node: Node) -> Any:
        try:
            return self.run(node.children[0])
        except BaseException:
            self.run(node.children[-1])
            raise

    def _spawn(self, node: Node) -> Any:
        self.tasks += [asyncio.create_task(self.beside(each)) for each in node.children]

    def _first(self, node: Node) -> Any:
        tasks = [asyncio.create_task(self.beside(each)) for each in node.children]
        done, pending = await_(asyncio.wait(tasks, timeout=3, return_when=asyncio.FIRST_COMPLETED))
        for task in pending:
            task.cancel()
        return sorted(tasks.index(task) for task in done)

    def _other(self, node: Node) -> Any:
        """What it awaits is written the other way, but for what that calls `other` in turn."""
        return await_(_Between(self).run(Node("seq", 0, node.children)))


class _Between(Awaiting):
    """An `async def` part of a plain program."""

    def __init__(self, around: Plainly) -> None:
        super().__init__(around.seen)
        self.tasks, self.around = around.tasks, around

    async def _other(self, node: Node) -> Any:
        return await to_greenlet(self.around._seq, node)


def awaiting(program: Program, seen: set[str]) -> Main:
    return lambda: Awaiting(seen).run(program.root)


def plainly(program: Program, seen: set[str]) -> Main:
    return plain(lambda: Plainly(seen).run(program.root))


def drive(host: Host, choices: list[int]) -> None:
    """Let happen what the choices say, then whatever is left, until the end or until nothing can happen."""
    cancelled = False
    for choice in [*choices, *[0] * 60]:
        if host.replay.finished:
            return
        open_ = list(host.replay.open.values())
        waits = [each for each in open_ if not isinstance(each, Receive)]
        if choice == CANCEL and not cancelled:
            cancelled = True
            host.cancel()
        elif choice in SIGNALS or not waits:
            host.signal(SIGNALS.get(choice) or open_[0].name, choice)
        else:
            _happen(host, waits[choice % len(waits)])


def _happen(host: Host, command: Any) -> None:
    match command:
        case RunStep(name=name) if name.startswith("f"):
            host.fail(command.number, name)
        case RunStep():
            host.complete(command.number, command.number)
        case _:
            host.fire(command.number)
