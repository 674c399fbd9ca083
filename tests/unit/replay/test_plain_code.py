"""Plain `def` code on the loop: what it may await and call, how it fails, and where it waits."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import reduce
from typing import Any

import pytest
from tests.unit.replay.kit import Host, Main, step
from tests.unit.replay.plainly import plain, sorting

import orquestrax.replay.context as ox
from orquestrax.base.errors import ForbiddenInWorkflow, InvalidInput, NotInWorkflow
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


# -- failures --


def test_errors_are_raised_at_the_call(host: Hosts) -> None:
    def main() -> Any:
        try:
            await_(step("a"))
        except Exception as error:
            frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
            assert (frames[0], frames[-1]) == ("main", "_step")
            return str(error)

    workflow = host(plain(main))
    workflow.fail("a", "declined")
    assert workflow.result == "declined"


def test_errors_have_the_context_that_they_have_in_an_async_def(host: Hosts) -> None:
    def chain(error: BaseException | None) -> list[str]:
        return [] if error is None else [str(error), *chain(error.__cause__ or error.__context__)]

    def main() -> Any:
        try:
            await_(step("a"))
        except Exception:
            try:
                await_(step("b"))
            except Exception as error:
                within = chain(error)
        try:
            raise ValueError("later")  # noqa: TRY301
        except ValueError as error:
            return [within, chain(error)]

    async def same() -> Any:
        try:
            await step("a")
        except Exception:
            try:
                await step("b")
            except Exception as error:
                within = chain(error)
        try:
            raise ValueError("later")  # noqa: TRY301
        except ValueError as error:
            return [within, chain(error)]

    results = []
    for workflow in (host(plain(main)), host(same)):
        workflow.fail("a", "first")
        workflow.fail("b", "second")
        results.append(workflow.result)
    assert results == [[["second", "first"], ["later"]]] * 2


def test_failures_of_the_function(host: Hosts) -> None:
    def boom() -> None:
        await_(step("a"))
        raise ValueError("no")

    def stop() -> None:
        raise StopIteration(3)

    workflow = host(plain(boom))
    workflow.complete("a")
    assert workflow.error == ["ValueError", "no"]
    assert host(plain(stop)).error == ["RuntimeError", "coroutine raised StopIteration"]
    assert host(plain(lambda: sys.exit(1))).error == ["SystemExit", "1"]


def test_a_generator_s_exit_is_an_error_like_others(host: Hosts) -> None:
    """Only what closes the code is a GreenletExit."""

    async def helper() -> None:
        raise GeneratorExit

    def main() -> str:
        with pytest.raises(GeneratorExit):
            await_(helper())
        return "went on"

    assert host(plain(main)).result == "went on"


def test_a_coroutine_driven_by_hand(host: Hosts) -> None:
    def main() -> Any:
        with pytest.raises(StopIteration) as ended:
            to_greenlet(lambda: 3).send(None)
        return [ended.value.value, await_(step("a"))]

    workflow = host(plain(main))
    workflow.complete("a", 4)
    assert workflow.result == [3, 4]


def test_a_cancel_arrives_where_it_waits(host: Hosts) -> None:
    def main() -> None:
        try:
            await_(asyncio.gather(step("a"), step("b")))
        except asyncio.CancelledError:
            await_(step("undo"))
            raise

    workflow = host(plain(main))
    workflow.cancel()
    assert workflow.asked == ["step undo"]
    workflow.complete("undo")
    assert workflow.finish.status == "cancelled"


def test_a_cancel_of_a_helper_s_task(host: Hosts) -> None:
    def helper() -> None:
        try:
            await_(asyncio.sleep(9))
        finally:
            await_(step("undo"))

    def main() -> str:
        task = asyncio.create_task(to_greenlet(helper))
        await_(asyncio.sleep(1))
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await_(task)
        return "went on"

    workflow = host(plain(main))
    workflow.fire()
    workflow.complete("undo")
    assert workflow.result == "went on"


# -- refused, each with one sentence --


def refused(workflow: Host) -> str:
    type_, message = workflow.error
    assert type_ == "ForbiddenInWorkflow"
    return message


def test_not_where_await_can_be_written(host: Hosts) -> None:
    async def helper() -> None:
        await_(step("a"))

    def main() -> None:
        await_(helper())

    for workflow in (host(helper), host(plain(main))):
        assert refused(workflow).startswith(
            "await_() is for plain `def` code: in an `async def` write `await`"
        )


def test_not_in_a_task_that_plain_code_has_begun_eagerly(host: Hosts) -> None:
    """What runs within the greenlet, but as another task, must not switch away from its caller."""

    async def inner() -> None:
        await_(step("a"))

    def main() -> None:
        loop: Any = asyncio.get_running_loop()
        me, other = asyncio.current_task(), loop.make_task(asyncio.sleep(0))
        asyncio.tasks._leave_task(loop, me)  # type: ignore[attr-defined]
        asyncio.tasks._enter_task(loop, other)  # type: ignore[attr-defined]
        try:
            inner().send(None)
        finally:
            asyncio.tasks._leave_task(loop, other)  # type: ignore[attr-defined]
            asyncio.tasks._enter_task(loop, me)  # type: ignore[attr-defined]

    assert "is for plain `def` code" in refused(host(plain(main)))


def test_not_in_a_greenlet_of_one_s_own(host: Hosts) -> None:
    import greenlet

    def main() -> None:
        greenlet.greenlet(lambda: await_(step("a"))).switch()

    assert "is for plain `def` code" in refused(host(plain(main)))


def test_not_in_another_thread(host: Hosts) -> None:
    said: list[BaseException] = []

    def elsewhere() -> None:
        for function in (lambda: await_(step("a")), lambda: to_greenlet(sorting)):
            try:
                function()
            except NotInWorkflow as error:
                said.append(error)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()  # its thread is there before the workflow is
        assert host(plain(lambda: pool.submit(elsewhere).result())).result is None
    assert {str(error) for error in said} == {
        "await_() works only in the code of a workflow, and none is running here",
        "to_greenlet() works only in the code of a workflow, and none is running here",
    }


def test_not_outside_of_workflows() -> None:
    with pytest.raises(NotInWorkflow, match=r"await_\(\) works only in the code of a workflow"):
        await_(step("a"))
    with pytest.raises(NotInWorkflow, match=r"to_greenlet\(\) works only in the code of a workflow"):
        to_greenlet(sorting)


def test_what_cannot_be_awaited(host: Hosts) -> None:
    def main() -> None:
        with pytest.raises(
            InvalidInput, match=r"^await_\('receipt'\): str cannot be awaited; it takes a call of"
        ):
            await_("receipt")  # type: ignore[arg-type]

    assert host(plain(main)).result is None


def test_what_is_awaited_as_it_is(host: Hosts) -> None:
    async def helper() -> None: ...

    def main() -> None:
        with pytest.raises(
            InvalidInput, match=r"^to_greenlet\(helper, …\) is for a plain `def`: await `helper\(…"
        ):
            to_greenlet(helper)

    assert host(plain(main)).result is None


# -- where it waits --


def test_it_waits_at_the_line_of_the_plain_function() -> None:
    async def between() -> None:
        await asyncio.sleep(1)

    def helper() -> None:
        await_(step("a"))
        await_(asyncio.sleep(2))

    def main() -> None:
        helper()
        await_(asyncio.sleep(5))
        await_(asyncio.gather(step("b"), ox.receive("x")))
        await_(between())

    host = Host(plain(main))
    first = main.__code__.co_firstlineno
    inner, deepest = helper.__code__.co_firstlineno + 1, between.__code__.co_firstlineno + 1
    assert _places(host) == (inner, [inner])
    host.complete("a")
    assert _places(host) == (inner + 1, [inner + 1])
    host.fire()
    assert _places(host) == (first + 2, [first + 2])
    host.fire()
    assert _places(host) == (first + 3, [first + 3, first + 3])
    host.complete("b")
    host.signal("x")
    assert _places(host) == (deepest, [deepest])


def _places(host: Host) -> tuple[int | None, list[int | None]]:
    file, line = host.replay.waits_at()
    assert file == __file__
    assert {wait.file for wait in host.replay.waits()} == {__file__}
    return line, [wait.line for wait in host.replay.waits()]


def test_a_helper_of_an_async_def_waits_at_its_own_line() -> None:
    def helper() -> None:
        await_(asyncio.sleep(5))

    async def main() -> None:
        await to_greenlet(helper)

    line = helper.__code__.co_firstlineno + 1
    assert _places(Host(main)) == (line, [line])


def test_the_file_is_the_workflow_s(host: Hosts) -> None:
    names: dict[str, Any] = {"step": step, "await_": await_}
    exec(compile("def elsewhere():\n    await_(step('a'))", "elsewhere.py", "exec"), names)

    def main() -> None:
        names["elsewhere"]()

    workflow = Host(plain(main))
    assert workflow.replay.waits_at() == (__file__, main.__code__.co_firstlineno + 1)
    assert workflow.replay.waits()[0].file == "elsewhere.py"


def test_its_task_has_the_function_s_name(host: Hosts) -> None:
    def fulfil() -> str:
        return repr(asyncio.current_task())

    assert "fulfil() running" in host(plain(fulfil)).result


def test_greenlet_is_loaded_with_the_first_plain_code() -> None:
    code = """
import sys, orquestrax
from tests.unit.replay.kit import Host
from tests.unit.replay.plainly import plain, sorting
print('greenlet' in sys.modules)
Host(plain(sorting))
print('greenlet' in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]


def test_the_kit_can_drive_plain_code() -> None:
    typed: Main = plain(lambda: None)
    assert Host(typed).result is None
