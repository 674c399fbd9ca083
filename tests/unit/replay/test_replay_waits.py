"""What an instance waits for and where, and what each turn hands out."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.unit.replay.kit import Host, new, step

import orquestrax.replay.context as ox


def test_waits_tell_what_and_where() -> None:
    async def inner() -> None:
        await asyncio.sleep(9)

    async def main() -> None:
        await step("first")
        async with asyncio.timeout(30):
            beside = asyncio.create_task(inner())
            await asyncio.gather(step("a"), ox.receive("go"), beside)

    host = Host(main)
    first = main.__code__.co_firstlineno
    assert host.replay.waits_at() == (__file__, first + 1)
    host.complete("first")
    assert host.replay.waits_at() == (__file__, first + 4)
    now = host.now
    assert [(w.kind, w.name, w.line and w.line - first, w.since, w.until) for w in host.replay.waits()] == [
        ("timer", "", 2, now, now + 30_000_000),
        ("timer", "", inner.__code__.co_firstlineno + 1 - first, now, now + 9_000_000),
        ("step", "a", 4, now, None),
        ("signal", "go", 4, now, None),
    ]
    assert msgspec.json.decode(msgspec.json.encode(host.replay.waits()))[0]["kind"] == "timer"


def test_after_the_main_task_the_next_one_tells_where() -> None:
    async def beside() -> None:
        try:
            await step("a")
        finally:
            await step("undo")

    async def main() -> None:
        asyncio.create_task(beside())  # noqa: RUF006
        await asyncio.sleep(1)

    host = Host(main)
    host.fire()
    assert host.replay.waits_at() == (__file__, beside.__code__.co_firstlineno + 4)
    host.complete("undo")
    assert host.replay.waits_at() == (None, None)


def test_the_place_is_the_deepest_line_in_the_file_of_the_workflow() -> None:
    names: dict[str, Any] = {"step": step}
    exec(compile("async def elsewhere():\n    await step('a')", "elsewhere.py", "exec"), names)

    async def inner() -> None:
        await names["elsewhere"]()

    async def main() -> None:
        await inner()

    host = Host(main)
    assert host.replay.waits_at() == (__file__, inner.__code__.co_firstlineno + 1)
    assert host.replay.waits()[0].file == "elsewhere.py"


def test_our_own_code_is_no_place() -> None:
    assert Host(lambda: ox.receive("go")).replay.waits_at() == (None, None)


def test_before_the_start_there_is_no_place() -> None:
    async def main() -> None: ...

    assert new(main).waits_at() == (None, None)


def test_abandoned_commands_come_in_the_order_of_asking() -> None:
    async def main() -> None:
        tasks = [asyncio.create_task(step(name)) for name in "abc"]
        await asyncio.sleep(1)
        for task in reversed(tasks):
            task.cancel()
        await step("d")

    host = Host(main)
    host.fire()
    assert [command.name for command in host.turn.abandoned] == ["a", "b", "c"]


def test_turns_hand_out_each_command_once() -> None:
    async def main() -> None:
        await step("a")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(step("b"), 0.5)
        task = asyncio.create_task(step("c"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(3)

    host = Host(main)
    host.complete("a")
    assert [c.number for c in host.turn.commands] == [2, 3]
    host.fire()
    assert [c.kind for c in host.turn.commands] == ["timer"]  # c came and went between two turns
    assert [c.name for c in host.turn.abandoned] == ["b"]
    again = host.replay.take()
    assert (again.commands, again.abandoned, again.finish) == ([], [], None)
    host.fire()
    assert host.turn.finish is not None
    assert host.replay.take().finish is None
