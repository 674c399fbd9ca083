"""Workflow code that is hard to close: it clings, cleans up loudly, and leaves things half-used."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import traceback
import warnings
from typing import Any

from tests.unit.replay.kit import step

import orquestrax.replay.context as ox

log = logging.getLogger("shop")


async def clinging(name: str) -> None:
    """Awaits again and again while it is closed."""
    try:
        await step(name)
    finally:
        for _ in range(3):
            with contextlib.suppress(BaseException):
                await step(f"undo {name}")
        async with asyncio.timeout(3):
            await ox.receive("nothing")


async def effects() -> None:
    """Tries everything that has an effect while it is closed."""
    try:
        await step("effects")
    finally:
        assert asyncio.get_running_loop().is_closed(), "this part is for evictions"
        log.error("cleaning up %s %s", ox.uuid4(), ox.random().random())
        loop = asyncio.get_running_loop()
        loop.call_soon(print, "soon")
        loop.call_later(5, print, "later").cancel()
        loop.call_exception_handler({"message": "a report"})
        loop.create_future().set_exception(ValueError("nobody looks"))
        asyncio.create_task(step("task"))  # noqa: RUF006
        asyncio.gather(step("g"), step("h"))
        await asyncio.gather(step("x"), asyncio.sleep(1), ox.receive("y"))


async def numbers() -> Any:
    try:
        for n in range(5):
            yield n
            await step("between")
    finally:
        with contextlib.suppress(BaseException):
            await step("close")
        await step("close again")


async def nested() -> None:
    """Cleans up with awaits at every depth, through coroutines and generators."""

    async def source() -> Any:
        try:
            await clinging("in generator")
            yield 1
        finally:
            await clinging("after generator")

    async def inner() -> None:
        try:
            await anext(source(), None)
        finally:
            await clinging("after inner")

    try:
        await inner()
    finally:
        await clinging("after nested")
        await anext(source())


async def half_used() -> None:
    async for _ in numbers():
        break
    source = numbers()
    await anext(source)
    async for _ in source:
        await step("never")


async def unstarted() -> None:
    """Holds coroutines that it has not awaited yet."""
    one = asyncio.sleep(1)
    many = {"a": [step("a"), step("b")], "c": half_used()}
    try:
        await step("first")
        await one
        await asyncio.gather(*many["a"], many["c"])
    except asyncio.CancelledError:
        for each in (one, *many["a"], many["c"]):
            each.close()
        raise


async def failing() -> None:
    await step("failing")
    raise ValueError("nobody looks")


async def group() -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(clinging("in group"))
        tasks.create_task(effects())


async def raising_while_closed() -> None:
    try:
        await step("raising")
    finally:
        raise RuntimeError("no")


async def interrupting_while_closed() -> None:
    try:
        await step("interrupting")
    finally:
        sys.exit(1)


async def talking() -> None:
    """Prints and warns while it is closed."""
    try:
        await step("talking")
    finally:
        if asyncio.get_running_loop().is_closed():
            print("bye")
            print("bye", file=sys.stderr)
            warnings.warn("bye", stacklevel=1)
            traceback.print_exc()


async def furnished() -> None:
    """Waits within everything that has an asynchronous exit, and cleans up with all of it."""
    lock, slots, condition = asyncio.Lock(), asyncio.Semaphore(1), asyncio.Condition()
    barrier, queue = asyncio.Barrier(2), asyncio.Queue[int](1)

    @contextlib.asynccontextmanager
    async def rented() -> Any:
        try:
            yield await step("rent")
        finally:
            await step("give back")

    async def neighbour() -> None:
        async with slots, condition:
            await condition.wait_for(lambda: not lock.locked())

    async with contextlib.AsyncExitStack() as exits:
        for each in (lock, rented(), asyncio.timeout(70), contextlib.aclosing(numbers())):
            await exits.enter_async_context(each)
        exits.push_async_callback(clinging, "at exit")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(neighbour())
            tasks.create_task(neighbour())
            try:
                queue.put_nowait(1)
                await asyncio.wait_for(queue.put(2), 2)
            finally:
                await asyncio.sleep(0)
                async with slots, condition:
                    condition.notify_all()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.gather(queue.join(), barrier.wait()), 1)
                lock.release()


async def everything() -> str:
    tasks = [
        asyncio.create_task(each())
        for each in (
            talking,
            furnished,
            effects,
            nested,
            half_used,
            unstarted,
            failing,
            group,
            raising_while_closed,
            interrupting_while_closed,
        )
    ]
    tasks.append(asyncio.create_task(clinging("x")))
    gathering = asyncio.gather(failing(), failing())
    lock = asyncio.Lock()
    async with lock, asyncio.timeout(50):
        await asyncio.wait([asyncio.shield(tasks[2]), gathering], timeout=3)
    await asyncio.wait_for(ox.receive("go"), 5)
    return "done"
