"""Tasks in detail: cancellations taken back, tasks that begin at once, contexts; live, and rebuilt at every event."""

from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar, copy_context
from typing import Any

from tests.unit.replay.kit import Host, rebuild, step

LETTER = ContextVar("letter", default="-")


def test_a_cancellation_that_is_taken_back_is_not_delivered(host: Any) -> None:
    async def main() -> Any:
        mine: Any = asyncio.current_task()
        mine.cancel()
        counts = [mine.cancelling(), mine.uncancel(), mine.cancelling()]
        await asyncio.sleep(0)
        return [*counts, await step("a")]

    run = host(main)
    run.complete("a", 5)
    assert run.result == [1, 0, 0, 5]


def test_one_of_two_cancellations_is_taken_back(host: Any) -> None:
    async def main() -> Any:
        mine: Any = asyncio.current_task()
        mine.cancel()
        mine.cancel()
        left = mine.uncancel()
        try:
            await step("a")
        except asyncio.CancelledError:
            return [left, mine.uncancel(), await step("b")]

    run = host(main)
    run.complete("b", 1)
    assert run.result == [1, 0, 1]


def test_a_task_that_has_not_begun_keeps_its_callbacks_and_context(host: Any) -> None:
    async def child() -> Any:
        return [LETTER.get(), await step("c"), LETTER.get()]

    async def main() -> Any:
        heard: list[str] = []
        context = copy_context()
        context.run(LETTER.set, "x")
        task = asyncio.create_task(child(), name="mine", context=context)
        task.add_done_callback(lambda done: heard.append(f"{done.get_name()} {LETTER.get()}"))
        task.add_done_callback(lambda _: heard.append(LETTER.get()), context=context)
        task.cancel()
        task.uncancel()
        found = await task
        return [found, heard]

    run = host(main)
    run.complete("c", 7)
    assert run.result == [["x", 7, "x"], ["mine -", "x"]]


def test_tasks_that_begin_at_once(host: Any) -> None:
    async def child(name: str, log: list[str]) -> Any:
        log.append(name)
        found = await step(name)
        log.append(f"{name} done")
        return found

    async def quick() -> int:
        return 3

    async def main() -> Any:
        log: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        task = asyncio.create_task(child("a", log), name="mine")
        log.append("made")
        at_once = asyncio.create_task(quick())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(child("b", log)), group.create_task(quick())]
        loop.set_task_factory(None)
        results = [await task, at_once.done(), await at_once, *[each.result() for each in tasks]]
        return [log, results, task.get_name(), len(asyncio.all_tasks())]

    if sys.version_info < (3, 12):
        return _refused_before_python_has_them()
    run = host(main)
    assert run.asked == ["step a", "step b"]
    run.complete("a", 1)
    run.complete("b", 2)
    assert run.result == [["a", "made", "b", "a done", "b done"], [1, True, 3, 2, 3], "mine", 1]
    return None


def _refused_before_python_has_them() -> None:
    async def main() -> None:
        asyncio.get_running_loop().create_task(step("a"), eager_start=True)

    error, message = Host(main).error
    assert error == "ForbiddenInWorkflow"
    assert "leave eager_start out" in message


def test_an_eager_task_is_cancelled_and_evicted_like_others(host: Any) -> None:
    if sys.version_info < (3, 12):
        return

    async def child() -> None:
        try:
            await asyncio.gather(step("a"), step("b"))
        finally:
            await step("undo")

    async def main() -> Any:
        loop: Any = asyncio.get_running_loop()
        task = loop.create_task(child(), eager_start=True)
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    run = host(main)
    run.fire()
    run.complete("undo")
    assert run.result is True


def test_an_eager_task_is_closed_after_its_children() -> None:
    closed: list[str] = []

    async def nested(names: str) -> None:
        loop: Any = asyncio.get_running_loop()
        child = loop.create_task(nested(names[1:]), eager_start=eager) if names[1:] else step("a")
        try:
            await child
        finally:
            closed.append(names[0])

    eager = sys.version_info >= (3, 12)
    rebuild(lambda: nested("xyz"), []).close()
    assert closed == ["z", "y", "x"]


def test_contexts_and_their_copies(host: Any) -> None:
    async def read() -> str:
        await step("a")
        return LETTER.get()

    async def main() -> Any:
        LETTER.set("m")
        copied = copy_context()
        copied.run(LETTER.set, "c")
        own, given = asyncio.create_task(read()), asyncio.create_task(read(), context=copied)
        within = copied.run(asyncio.ensure_future, read())
        LETTER.set("later")
        return [await own, await given, await within, LETTER.get(), copied[LETTER]]

    run = host(main)
    for _ in range(3):
        run.complete()
    assert run.result == ["m", "c", "c", "later", "c"]


def test_a_group_keeps_a_cancellation_from_outside(host: Any) -> None:
    """As from Python 3.13 on: its error is raised, and the cancellation comes with the next wait."""

    async def main() -> Any:
        mine: Any = asyncio.current_task()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_fails_when_cancelled())
                await step("body")
        except* ValueError:
            before = mine.cancelling()
        try:
            await step("after")
        except asyncio.CancelledError:
            return [before, await step("undo")]

    run = host(main)
    run.cancel()
    run.complete("undo", 1)
    assert run.result == [1, 1]


async def _fails_when_cancelled() -> None:
    try:
        await step("child")
    except asyncio.CancelledError:
        raise ValueError("no") from None
