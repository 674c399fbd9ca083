"""Cancellation, and what happens at the end: live, and rebuilt at every event."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tests.unit.replay.kit import Host, step


def test_cancel_reaches_the_main_task_and_may_be_answered(host: Any) -> None:
    async def main() -> Any:
        try:
            await step("a")
        except asyncio.CancelledError:
            return [await step("undo"), asyncio.current_task().uncancel()]  # type: ignore[union-attr]

    run = host(main)
    turn = run.cancel()
    assert [c.name for c in turn.abandoned] == ["a"]
    run.complete("undo", 1)
    assert run.result == [1, 0]


def test_cleanup_after_cancel_may_wait(host: Any) -> None:
    async def main() -> None:
        try:
            await step("a")
        finally:
            await asyncio.sleep(5)
            await step("undo")

    run = host(main)
    run.cancel()
    assert run.asked == ["timer 5"]
    run.fire()
    run.complete("undo")
    assert run.finish.status == "cancelled"


def test_what_still_runs_at_the_end_is_cancelled_in_order_and_waited_for(host: Any) -> None:
    trace: list[str] = []

    async def beside(name: str) -> None:
        try:
            await step(name)
        finally:
            trace.append(name)
            await step(f"undo {name}")

    async def main() -> list[str]:
        trace.clear()
        for name in "abc":
            asyncio.create_task(beside(name))  # noqa: RUF006 - that is what is tested
        await asyncio.sleep(1)
        return trace

    run = host(main)
    run.fire()
    assert run.asked == ["step undo a", "step undo b", "step undo c"]
    for name in "cab":
        assert run.replay.finish is None
        run.complete(f"undo {name}")
    assert run.result == ["a", "b", "c"]


def test_tasks_made_by_cleanup_at_the_end_are_cancelled_too(host: Any) -> None:
    async def late() -> None:
        try:
            await step("never")
        finally:
            await step("last")

    async def beside() -> None:
        try:
            await step("a")
        finally:
            asyncio.create_task(late())  # noqa: RUF006
            await step("undo")

    async def main() -> str:
        asyncio.create_task(beside())  # noqa: RUF006
        await asyncio.sleep(1)
        return "done"

    run = host(main)
    run.fire()
    assert run.asked == ["step undo", "step never"]
    run.complete("undo")
    assert run.asked == ["step last"]
    run.complete("last")
    assert run.result == "done"


def test_cleanup_at_the_end_cannot_cancel_the_end(host: Any) -> None:
    async def beside() -> None:
        try:
            await step("a")
        finally:
            for task in asyncio.all_tasks():
                task.cancel()

    async def main() -> str:
        asyncio.create_task(beside())  # noqa: RUF006
        await asyncio.sleep(1)
        return "done"

    run = host(main)
    run.fire()
    assert run.result == "done"


def test_timers_without_a_task_are_dropped_at_the_end(host: Any) -> None:
    async def main() -> str:
        asyncio.get_running_loop().call_later(60, print, "never")
        await step("a")
        return "done"

    run = host(main)
    turn = run.complete("a")
    assert [c.kind for c in turn.abandoned] == ["timer"]
    assert run.result == "done"


def test_the_last_rounds_are_those_of_asyncio_run() -> None:
    """What is ready when the main task ends still runs, what that makes ready does not."""

    def program() -> tuple[Any, list[str]]:
        seen: list[str] = []

        def tick(loop: Any) -> None:
            seen.append("tick")
            loop.call_soon(tick, loop)

        async def beside() -> None:
            try:
                while True:
                    seen.append("beside")
                    await asyncio.sleep(0)
            finally:
                seen.append("cancelled")
                await asyncio.sleep(0)
                seen.append("cleaned")

        async def main() -> None:
            asyncio.create_task(beside())  # noqa: RUF006
            tick(asyncio.get_running_loop())
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        return main, seen

    main, expected = program()
    asyncio.run(main())
    main, seen = program()
    assert Host(main).replay.finished
    shared = len(seen)
    assert seen == expected[:shared]
    assert set(expected[shared:]) == {"tick"}  # of rounds in which asyncio.run closes its executor
    assert seen.count("beside") == 3


def test_half_used_generators_are_closed_at_the_end(host: Any) -> None:
    async def numbers() -> Any:
        try:
            for n in range(10):
                yield n
        finally:
            await step("close")

    async def main() -> Any:
        async for n in numbers():
            if n == 2:
                break
        return await step("a")

    run = host(main)
    assert run.asked == ["step a"]  # not at the break: when it is collected must not matter
    run.complete("a", 5)
    assert run.asked == ["step close"]
    run.complete("close")
    assert run.result == 5


def test_many_used_up_generators_are_let_go(host: Any) -> None:
    async def one() -> Any:
        yield 1

    async def main() -> int:
        total = 0
        for _ in range(500):
            async for n in one():
                total += n
        return total

    run = host(main)
    assert run.result == 500


def test_aclosing_closes_at_once(host: Any) -> None:
    async def numbers() -> Any:
        try:
            yield 1
        finally:
            await step("close")

    async def main() -> Any:
        async with contextlib.aclosing(numbers()) as source:
            return await anext(source)

    run = host(main)
    assert run.asked == ["step close"]
    run.complete("close")
    assert run.result == 1
