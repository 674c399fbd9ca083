"""Where plain `def` code waits, as it is shown; and what it takes to run it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from tests.unit.replay.kit import Host, Main, step
from tests.unit.replay.plainly import plain

import orquestrax.replay.context as ox
from orquestrax.replay.bridge import await_, to_greenlet

Hosts = Callable[..., Host]


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
