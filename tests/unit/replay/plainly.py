"""Plain `def` workflows for these tests: ordinary ones, and some that are hard to close."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from zlib import crc32

import msgspec
from tests.unit.replay.kit import Main, driven_to_its_end, step

import orquestrax.replay.context as ox
from orquestrax.replay.bridge import await_, to_greenlet

log = logging.getLogger("shop")


def plain(function: Callable[[], Any]) -> Main:
    """The main of a plain function, as `@workflow` makes it."""

    def main() -> Coroutine[Any, Any, Any]:
        return to_greenlet(function)

    return main


def clinging(name: str) -> None:
    """Waits again and again while it is closed."""
    try:
        await_(step(name))
    finally:
        for _ in range(3):
            with contextlib.suppress(BaseException):
                await_(step(f"undo {name}"))
        await_(asyncio.wait_for(ox.receive("nothing"), 3))


def effects() -> None:
    """Tries everything that has an effect while it is closed."""
    try:
        await_(step("effects"))
    finally:
        assert asyncio.get_running_loop().is_closed(), "this part is for evictions"
        log.error("cleaning up %s %s", ox.uuid4(), ox.random().random())
        asyncio.get_running_loop().call_soon(print, "soon")
        asyncio.create_task(step("task"))  # noqa: RUF006
        asyncio.create_task(to_greenlet(clinging, "late"))  # noqa: RUF006
        asyncio.gather(step("g"), step("h"))
        await_(asyncio.gather(step("x"), asyncio.sleep(1), ox.receive("y")))


def numbers() -> Iterator[int]:
    try:
        for n in range(5):
            yield n
            await_(step("between"))
    finally:
        with contextlib.suppress(BaseException):
            await_(step("close"))
        await_(step("close again"))


def half_used() -> None:
    """Leaves a generator that waits when it is closed."""
    source = numbers()
    next(source)
    next(source)
    await_(step("half"))


def sorting() -> list[int]:
    """Waits below a function that is written in C."""
    return sorted([3, 1, 2], key=lambda n: await_(step(f"key {n}")) or n)


def mixed() -> None:
    """Plain code that awaits what awaits plain code, each with its cleanup."""

    async def between() -> None:
        try:
            await to_greenlet(clinging, "inmost")
        finally:
            await step("after inmost")

    try:
        await_(between())
    finally:
        clinging("after between")


def failing() -> None:
    await_(step("failing"))
    raise ValueError("nobody looks")


def interrupting_while_closed() -> None:
    try:
        await_(step("interrupting"))
    finally:
        sys.exit(1)


def unstarted() -> None:
    """Holds what it has not awaited yet."""
    held = [step("a"), asyncio.sleep(1), to_greenlet(clinging, "never")]
    try:
        await_(step("first"))
    finally:
        for each in held:
            each.close()


def endless() -> None:
    while True:
        with contextlib.suppress(BaseException):
            await_(step("again"))


def everything() -> str:
    several = (effects, sorting, mixed, failing, interrupting_while_closed, unstarted)
    tasks = [asyncio.create_task(to_greenlet(each)) for each in several]
    tasks.append(asyncio.create_task(to_greenlet(clinging, "x")))
    gathering = asyncio.gather(to_greenlet(failing), to_greenlet(failing))
    await_(asyncio.wait([asyncio.shield(tasks[0]), gathering], timeout=3))
    await_(asyncio.wait_for(ox.receive("go"), 5))
    return "done"


def digest() -> int:
    """That history as one number: it is the same on every Python."""
    log.disabled = logging.getLogger("orquestrax.workflow").disabled = True
    host = driven_to_its_end(plain(everything))
    host.replay.close()
    log.disabled = logging.getLogger("orquestrax.workflow").disabled = False
    return crc32(repr([*map(msgspec.structs.astuple, host.history), host.replay.finish]).encode())


if __name__ == "__main__":
    print(digest())
