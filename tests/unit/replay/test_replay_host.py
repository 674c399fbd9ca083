"""The host around workflow code: when it may enter, and what it never notices."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

import pytest
from tests.unit.replay.kit import Host, new, step

from orquestrax.model import events
from orquestrax.replay.context import current


async def test_never_inside_a_task_of_the_host() -> None:
    async def main() -> None:
        await step("a")

    replay = new(main)
    with pytest.raises(RuntimeError, match="enter it from a plain callback"):
        replay.start()
    asyncio.get_running_loop().call_soon(replay.start)
    await asyncio.sleep(0)
    [command] = replay.take().commands
    data = events.StepEnded(command.number, "a", 1, "n", 0, 0, events.raw(b"1"))
    event = events.Event(1, events.STEP_COMPLETED, 1, replay.issued, replay.trail, events.encode(data))
    with pytest.raises(RuntimeError, match="enter it from a plain callback"):
        replay.apply(event)
    asyncio.get_running_loop().call_soon(replay.apply, event)  # nothing had changed
    await asyncio.sleep(0)
    assert replay.finished


async def test_from_a_callback_of_the_host() -> None:
    async def main() -> Any:
        return [await step("a"), asyncio.get_running_loop() is host, asyncio.current_task() is None]

    host = asyncio.get_running_loop()
    done = host.create_future()

    def work() -> None:
        run = Host(main)
        run.complete("a", 1)
        assert asyncio.get_running_loop() is host
        done.set_result(run.result)

    host.call_soon(work)
    assert await done == [1, False, False]


def test_what_code_raises_never_reaches_the_host(caplog: pytest.LogCaptureFixture) -> None:
    def bad() -> None:
        raise KeyboardInterrupt

    async def main() -> str:
        asyncio.get_running_loop().call_soon(bad)
        asyncio.get_running_loop().call_soon(_raise_exit)
        return await step("a")

    run = Host(main)
    assert run.asked == ["step a"]
    messages = [record.getMessage() for record in caplog.records if record.name == "orquestrax.workflow"]
    assert [message.split(" at ")[0].split()[:3] for message in messages] == [
        ["Exception", "in", "callback"]
    ] * 2
    run.complete("a", "done")
    assert run.result == "done"


def _raise_exit() -> None:
    sys.exit(1)


def test_the_loop_tells_about_itself() -> None:
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        questions = [loop.is_running(), loop.is_closed(), loop.get_debug(), loop.get_exception_handler()]
        return [*questions, repr(loop), loop.time()]

    assert Host(main).result == [True, False, False, None, "<loop of workflow 'order-1'>", 0.0]


def test_garbage_waits_until_workflow_code_rests() -> None:
    seen: list[str] = []

    class Ring:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            seen.append("collected" if current() is None else "collected amid workflow code")

    async def main() -> bool:
        Ring()
        for _ in range(200_000):
            [[]]  # noqa: B018 - work for the collector
        return gc.isenabled()

    assert gc.isenabled()
    assert Host(main).result is False
    assert gc.isenabled()
    gc.collect()
    assert set(seen) == {"collected"}


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="asyncio keeps no set of tasks any more")
def test_tasks_do_not_pile_up_in_the_set_of_all_tasks() -> None:
    """Their small hashes are the same in each instance, so thousands would collide."""

    async def main() -> None:
        await step("a")

    kept = getattr(asyncio.tasks, "_scheduled_tasks", None)
    before = len(asyncio.tasks._all_tasks if kept is None else kept)  # type: ignore[attr-defined]
    hosts = [Host(main) for _ in range(3)]
    assert len(asyncio.tasks._all_tasks if kept is None else kept) == before  # type: ignore[attr-defined]
    assert len(hosts) == 3


def test_a_disabled_collector_stays_disabled() -> None:
    async def main() -> None: ...

    gc.disable()
    try:
        Host(main)
        assert not gc.isenabled()
    finally:
        gc.enable()


async def test_on_every_other_loop_asyncio_is_as_it_was() -> None:
    """What is exchanged for workflows goes its own way elsewhere, also beside an instance."""

    async def one(n: int) -> int:
        await asyncio.sleep(0)
        return n

    def inner() -> list[Any]:
        """In a thread: a loop of its own."""
        with asyncio.Runner() as runner:
            return [runner.run(one(7)), asyncio.run(one(8))]

    instance = new(lambda: step("a"))
    done = asyncio.create_task(one(1))
    await done
    assert await asyncio.gather(done, one(2)) == [1, 2]
    completed = asyncio.as_completed([one(3)])
    assert "orquestrax" not in type(completed).__module__
    assert [await each for each in completed] == [3]
    async with asyncio.Semaphore(1), asyncio.TaskGroup() as group:
        task = group.create_task(one(4), name="four")
    condition = asyncio.Condition()
    async with condition:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(condition.wait(), 0.001)
    assert (task.get_name(), task.result()) == ("four", 4)
    assert asyncio.current_task() in asyncio.all_tasks()
    assert await asyncio.to_thread(inner) == [7, 8]
    instance.close()
