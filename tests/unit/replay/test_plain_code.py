"""Plain `def` code on the loop: what it may await and call."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from functools import reduce
from typing import Any

import pytest
from tests.unit.replay.kit import Host, step
from tests.unit.replay.plainly import plain, sorting

import orquestrax.replay.context as ox
from orquestrax.base.errors import ForbiddenInWorkflow
from orquestrax.replay.bridge import await_, to_greenlet

Hosts = Callable[..., Host]


def test_one_after_the_other_and_several_at_a_time(host: Hosts) -> None:
    def main() -> Any:
        first = await_(step("a"))
        second = await_(asyncio.gather(step("b"), step("c"), asyncio.sleep(3)))
        await_(asyncio.sleep(5))
        return [first, second, await_(ox.receive("x", int))]

    workflow = host(plain(main))
    assert workflow.asked == ["step a"]
    workflow.complete("a", 1)
    assert workflow.asked == ["step b", "step c", "timer 3"]
    workflow.complete("c", 3)
    workflow.complete("b", 2)
    workflow.fire()
    workflow.fire()
    workflow.signal("x", 4)
    assert workflow.result == [1, [2, 3, None], 4]


def test_the_workflow_s_own_facilities(host: Hosts) -> None:
    def main() -> Any:
        before = ox.now()
        await_(asyncio.sleep(60))
        passed = (ox.now() - before).total_seconds()
        return [passed, str(ox.uuid4()), ox.random().random(), ox.info().id]

    async def same() -> Any:
        return main_of_both()

    def main_of_both() -> Any:
        return [str(ox.uuid4()), ox.random().random(), ox.info().id]

    workflow = host(plain(main))
    workflow.fire()
    assert workflow.result == [60.0, *host(same).result]


def test_everything_that_can_be_awaited(host: Hosts) -> None:
    async def helper(name: str) -> Any:
        return await step(name)

    class Awaitable:
        def __await__(self) -> Iterator[Any]:
            return step("own").__await__()

    def main() -> Any:
        task = asyncio.create_task(helper("task"))
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(2, event.set)
        results = [await_(helper("coroutine")), await_(Awaitable()), await_(task)]
        await_(event.wait())
        with pytest.raises(TimeoutError):
            await_(asyncio.wait_for(ox.receive("never"), 1))
        return results

    workflow = host(plain(main))
    for name in ("coroutine", "task", "own"):
        workflow.complete(name, name)
    workflow.fire()
    workflow.fire()
    assert workflow.result == ["coroutine", "own", "task"]


def test_plain_helpers_at_a_time_and_within_a_time_limit(host: Hosts) -> None:
    def helper(name: str, *, twice: bool = False) -> str:
        await_(step(name))
        if twice:
            await_(step(f"{name} again"))
        return name

    async def grouped() -> Any:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(to_greenlet(helper, name)) for name in "cd"]
        return [task.result() for task in tasks]

    def main() -> Any:
        both = await_(asyncio.gather(to_greenlet(helper, "a", twice=True), to_greenlet(helper, "b")))
        with pytest.raises(TimeoutError):
            await_(asyncio.wait_for(to_greenlet(helper, "late"), 2))
        return [*both, await_(grouped())]

    workflow = host(plain(main))
    assert workflow.asked == ["step a", "step b"]
    for name in ("b", "a", "a again"):
        workflow.complete(name)
    workflow.fire()
    assert [command.name for command in workflow.turn.abandoned] == ["late"]
    workflow.complete("d")
    workflow.complete("c")
    assert workflow.result == ["a", "b", ["c", "d"]]


def test_tasks_that_begin_at_once(host: Hosts) -> None:
    def helper(name: str) -> str:
        await_(step(name))
        return name

    async def awaiting() -> None:
        await_(step("c"))

    def main() -> Any:
        loop: Any = asyncio.get_running_loop()
        first = loop.create_task(to_greenlet(helper, "a"), eager_start=True)
        wrong = loop.create_task(awaiting(), eager_start=True)
        second = helper("b")
        return [str(await_(asyncio.gather(wrong, return_exceptions=True))[0]), second, await_(first)]

    workflow = host(plain(main))
    if sys.version_info < (3, 12):
        assert "an eager task on Python 3.11 does not work" in workflow.error[1]
        return
    assert workflow.asked == ["step a", "step b"]
    workflow.complete("b")
    workflow.complete("a")
    refusal, *results = workflow.result
    assert results == ["b", "a"]
    assert refusal.startswith("await_() is for plain `def` code")


def test_a_plain_helper_of_an_async_workflow(host: Hosts) -> None:
    def helper(n: int) -> Any:
        return await_(step("a", n))

    async def main() -> Any:
        with pytest.raises(
            ForbiddenInWorkflow, match=r"call a plain def that uses it as `await ox.to_greenlet"
        ):
            helper(1)
        return await to_greenlet(helper, 2)

    workflow = host(main)
    workflow.complete("a", 5)
    assert workflow.result == 5


def test_below_functions_written_in_c(host: Hosts) -> None:
    def ask(name: str) -> Any:
        return await_(step(name))

    def main() -> Any:
        text = re.sub("[ab]", lambda found: ask(found[0]), "a-b")
        total = reduce(lambda sum_, n: sum_ + ask(f"n{n}"), [1, 2], 0)
        return [sorting(), text, total, max(map(ask, "xy"))]

    workflow = host(plain(main))
    answers = {"a": "A", "b": "B", "n1": 1, "n2": 2, "key 3": 30, "key 1": 10, "key 2": 20, "x": 5, "y": 6}
    for name, answer in answers.items():
        workflow.complete(name, answer)
    assert workflow.result == [[1, 2, 3], "A-B", 3, 6]


def test_generators_that_wait(host: Hosts) -> None:
    def pairs() -> Iterator[Any]:
        for name in "ab":
            left = await_(step(name))
            yield left, await_(step(f"{name}'"))

    def main() -> Any:
        found = [pair for source in (pairs(),) for pair in source]
        source = pairs()
        next(source)
        source.close()
        return found

    workflow = host(plain(main))
    for n, name in enumerate(["a", "a'", "b", "b'", "a", "a'"]):
        workflow.complete(name, n)
    assert workflow.result == [[0, 1], [2, 3]]


def test_deep_recursion(host: Hosts) -> None:
    def deep(n: int) -> int:
        return 1 + deep(n - 1) if n else await_(step("bottom"))

    def endless(n: int) -> int:
        return endless(n + 1) + 1

    def main() -> Any:
        with pytest.raises(RecursionError):
            endless(0)
        return deep(500)

    workflow = host(plain(main))
    workflow.complete("bottom", 7)
    assert workflow.result == 507


def test_context_variables_are_the_task_s(host: Hosts) -> None:
    variable = ContextVar("variable", default="unset")

    async def child() -> str:
        return variable.get()

    async def inline() -> None:
        variable.set("by what it awaits")

    def elsewhere() -> str:
        variable.set("elsewhere")
        await_(step("elsewhere"))
        return variable.get()

    def main() -> Any:
        seen = [variable.get()]
        token = variable.set("main")
        await_(step("a"))
        seen += [variable.get(), await_(asyncio.create_task(child())), copy_context().run(elsewhere)]
        seen += [variable.get(), await_(asyncio.create_task(to_greenlet(elsewhere)))]
        await_(inline())
        seen.append(variable.get())
        variable.reset(token)
        return [*seen, variable.get()]

    workflow = host(plain(main))
    for name in ("a", "elsewhere", "elsewhere"):
        workflow.complete(name)
    expected = ["unset", "main", "main", "elsewhere", "main", "elsewhere", "by what it awaits", "unset"]
    assert workflow.result == expected
    assert variable.get() == "unset"
