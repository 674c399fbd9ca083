"""Where plain `def` code cannot wait: refused, each time with one sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.unit.replay.kit import Host, step
from tests.unit.replay.plainly import plain, sorting

from orquestrax.base.errors import InvalidInput, NotInWorkflow
from orquestrax.replay.bridge import await_, to_greenlet

Hosts = Callable[..., Host]


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
