"""Many at once: gather, tasks, task groups, wait, locks and queues: live, and rebuilt at every event."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from tests.unit.replay.kit import BEGAN, SECOND, Host, step

import orquestrax.replay.context as ox


def test_gather_asks_in_order_and_returns_in_order(host: Any) -> None:
    async def main() -> list[Any]:
        return await asyncio.gather(step("a"), asyncio.sleep(5, "b"), step("c"))

    run = host(main)
    assert run.asked == ["step a", "timer 5", "step c"]
    run.complete("c", "C")
    run.fire()
    run.complete("a", "A")
    assert run.result == ["A", "b", "C"]


def test_gather_raises_the_first_error_and_the_rest_goes_on(host: Any) -> None:
    async def main() -> Any:
        try:
            await asyncio.gather(step("a"), step("b"))
        except Exception as error:
            return [str(error), await step("c")]

    run = host(main)
    run.fail("b", "broken")
    assert run.asked == ["step a", "step c"]
    run.complete("a")
    run.complete("c", 3)
    assert run.result == ["broken", 3]


def test_gather_with_return_exceptions(host: Any) -> None:
    async def main() -> Any:
        return [str(each) for each in await asyncio.gather(step("a"), step("b"), return_exceptions=True)]

    run = host(main)
    run.fail("b", "broken")
    run.complete("a", 1)
    assert run.result == ["1", "broken"]


def test_cancelled_gather_abandons_its_steps(host: Any) -> None:
    async def main() -> None:
        await asyncio.gather(step("a"), step("b"), asyncio.sleep(5))

    run = host(main)
    turn = run.cancel()
    assert [c.number for c in turn.abandoned] == [1, 2, 3]
    assert run.finish.status == "cancelled"


def test_task_group(host: Any) -> None:
    async def main() -> Any:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(step(name)) for name in "abc"]
        return [task.result() for task in tasks]

    run = host(main)
    assert run.asked == ["step a", "step b", "step c"]
    for name in "bca":
        run.complete(name, name.upper())
    assert run.result == ["A", "B", "C"]


def test_task_group_cancels_the_others_and_raises_a_group(host: Any) -> None:
    cleaned: list[str] = []

    async def child(name: str) -> None:
        try:
            await step(name)
        finally:
            cleaned.append(name)

    async def main() -> Any:
        cleaned.clear()
        try:
            async with asyncio.TaskGroup() as group:
                for name in "abcd":
                    group.create_task(child(name))
        except ExceptionGroup as caught:
            return [repr(caught), cleaned]

    run = host(main)
    turn = run.fail("b", "broken")
    assert [c.name for c in turn.abandoned] == ["a", "c", "d"]
    text, order = run.result
    assert "broken" in text
    assert order == ["b", "a", "c", "d"]


def test_create_task_runs_beside(host: Any) -> None:
    async def main() -> Any:
        task = asyncio.create_task(step("a"))
        own = await step("b")
        return [own, await task, task.get_name(), asyncio.current_task().get_name()]  # type: ignore[union-attr]

    run = host(main)
    assert run.asked == ["step b", "step a"]  # the task begins after its maker waits
    run.complete("a", 1)
    run.complete("b", 2)
    assert run.result == [2, 1, "order-1:2", "order-1:1"]


def test_cancelled_task(host: Any) -> None:
    async def main() -> str:
        task = asyncio.create_task(step("a"), name="mine")
        await asyncio.sleep(1)
        task.cancel("enough")
        try:
            await task
        except asyncio.CancelledError:
            return f"{task.get_name()} {task.cancelled()}"
        return "?"

    run = host(main)
    turn = run.fire()
    assert [c.name for c in turn.abandoned] == ["a"]
    assert run.result == "mine True"


def test_wait_returns_sets_in_the_order_of_making(host: Any) -> None:
    async def main() -> Any:
        tasks = {asyncio.create_task(step(str(n)), name=str(n)) for n in range(40)}
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return [[task.get_name() for task in each] for each in (done, pending)]

    run = host(main)
    turn = run.complete("17")
    names = [str(n) for n in range(40) if n != 17]
    assert [c.name for c in turn.abandoned] == names
    done, pending = run.result
    assert done == ["17"]
    assert pending == sorted(pending, key=lambda name: hash(int(name) + 2) % 128)


def test_as_completed_makes_its_tasks_in_order(host: Any) -> None:
    async def main() -> Any:
        return [await each for each in asyncio.as_completed([step(name) for name in "abcdefgh"], timeout=60)]

    run = host(main)
    assert [c for c in run.asked if c.startswith("step")] == [f"step {name}" for name in "abcdefgh"]
    for name in "hgfedcba":
        run.complete(name, name)
    assert "".join(run.result) == "hgfedcba"


def test_gathers_have_their_place_in_sets(host: Any) -> None:
    async def main() -> Any:
        gathers = [asyncio.gather(asyncio.sleep(n + 1, n), return_exceptions=True) for n in range(9)]
        _, pending = await asyncio.wait(gathers, timeout=0.5)
        return [gathers.index(each) for each in pending]

    run = host(main)
    run.fire()
    assert run.result == list(range(9))


def test_all_tasks_and_current_task(host: Any) -> None:
    async def main() -> Any:
        task = asyncio.create_task(asyncio.sleep(1))
        await asyncio.sleep(0)
        mine = asyncio.current_task()
        return [
            asyncio.all_tasks() == {task, mine},
            asyncio.all_tasks(asyncio.get_running_loop()) == {task, mine},
        ]

    assert host(main).result == [True, True]


def test_locks_events_queues_and_semaphores(host: Any) -> None:
    async def worker(name: str, queue: Any, lock: Any, seen: list[Any]) -> None:
        while (item := await queue.get()) is not None:
            async with lock:
                seen.append([name, item, await step(f"work {item}")])
        await queue.put(None)

    async def main() -> Any:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        seen: list[Any] = []
        semaphore = asyncio.Semaphore(2)
        workers = [asyncio.create_task(worker(name, queue, semaphore, seen)) for name in "xyz"]
        for n in range(4):
            queue.put_nowait(n)
        queue.put_nowait(None)
        ready = asyncio.Event()
        asyncio.get_running_loop().call_later(1, ready.set)
        async with asyncio.Lock():
            await ready.wait()
        await asyncio.gather(*workers)
        condition = asyncio.Condition()
        async with condition:
            condition.notify_all()
        await asyncio.Barrier(1).wait()
        return seen

    run = host(main)
    assert run.asked == ["timer 1", "step work 0", "step work 1"]
    run.fire()
    for n in range(4):
        run.complete(f"work {n}", n * 10)
    assert sorted(item for _, item, _ in run.result) == [0, 1, 2, 3]


def test_ids_and_randomness_are_the_same_again_and_differ_by_instance() -> None:
    async def main() -> Any:
        values = [str(ox.uuid4()), str(ox.uuid4()), ox.random().random()]
        await step("a")
        return [*values, str(ox.uuid4()), ox.random().randint(0, 10**9), ox.random() is ox.random()]

    results = []
    for key in (7, 7, 8):
        run = Host(main, key=key)
        run.complete()
        results.append(run.result)
    assert results[0] == results[1]
    assert not set(results[0][:5]) & set(results[2][:5])
    assert results[0][0][14] == "4"
    assert results[0][5]


def test_more_ids_do_not_shift_the_randomness() -> None:
    def main(ids: int) -> Any:
        async def run() -> float:
            for _ in range(ids):
                ox.uuid4()
            return ox.random().random()

        return run

    assert Host(main(0)).result == Host(main(5)).result


def test_ids_cannot_be_guessed_from_the_randomness() -> None:
    async def main() -> bool:
        return UUID(int=ox.random().getrandbits(128), version=4) != ox.uuid4()

    assert Host(main).result


def test_info(host: Any) -> None:
    async def main() -> Any:
        info = ox.info()
        return [info.id, str(info.key), info.definition, info.version, info.started_at.timestamp() * SECOND]

    assert host(main, name="order-9").result == [
        "order-9", "00000000-0000-0000-0000-000000000007", "order", "1", BEGAN,
    ]  # fmt: skip


def test_each_instance_has_its_own_context() -> None:
    from contextvars import ContextVar

    variable = ContextVar("variable", default="unset")
    variable.set("of the host")

    async def main() -> Any:
        seen = [variable.get()]
        variable.set("mine")
        await step("a")
        return [*seen, variable.get(), await asyncio.create_task(read())]

    async def read() -> str:
        return variable.get()

    first, second = Host(main), Host(main)
    first.complete()
    second.complete()
    assert first.result == second.result == ["unset", "mine", "mine"]
    assert variable.get() == "of the host"
