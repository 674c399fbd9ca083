"""What workflow code cannot do: each refusal is one sentence that names what to use instead."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.replay.kit import FakeStep, Host, step

import orquestrax.replay.context as ox
from orquestrax.base.errors import NotInWorkflow
from orquestrax.replay.loop import Loop


def attempt(use: Callable[[asyncio.AbstractEventLoop], Any]) -> str:
    """The sentence that a use of the loop is refused with."""

    async def main() -> None:
        outcome = use(asyncio.get_running_loop())
        if inspect.isawaitable(outcome):
            await outcome

    run = Host(main)
    error, message = run.error
    assert error == "ForbiddenInWorkflow", message
    assert run.replay.issued == 1  # nothing was asked for but the end
    return message


@pytest.mark.parametrize(
    "use",
    [
        lambda loop: loop.run_in_executor(None, print),
        lambda _: asyncio.to_thread(print),
        lambda loop: loop.set_default_executor(None),
    ],
)
def test_threads(use: Any) -> None:
    message = attempt(use)
    assert "does not work in a workflow: a thread cannot be replayed, make the function a step" in message


@pytest.mark.parametrize(
    "use",
    [
        lambda loop: loop.getaddrinfo("example.org", 80),
        lambda loop: loop.getnameinfo(("::1", 80)),
        lambda loop: loop.create_connection(asyncio.Protocol, "localhost", 80),
        lambda loop: loop.create_server(asyncio.Protocol, "localhost", 80),
        lambda loop: loop.create_datagram_endpoint(asyncio.DatagramProtocol),
        lambda loop: loop.create_unix_connection(asyncio.Protocol, "/tmp/x"),
        lambda loop: loop.create_unix_server(asyncio.Protocol, "/tmp/x"),
        lambda _: asyncio.open_connection("localhost", 80),
        lambda _: asyncio.start_server(print, "localhost", 80),
        lambda _: asyncio.create_subprocess_exec("true"),
        lambda _: asyncio.create_subprocess_shell("true"),
        lambda loop: loop.connect_read_pipe(asyncio.Protocol, sys.stdin),
        lambda loop: loop.connect_write_pipe(asyncio.BaseProtocol, sys.stdout),
        lambda loop: loop.add_reader(0, print),
        lambda loop: loop.remove_reader(0),
        lambda loop: loop.add_writer(0, print),
        lambda loop: loop.remove_writer(0),
        lambda loop: loop.sendfile(None, None),
        lambda loop: loop.start_tls(None, None, None),
    ],
)
def test_the_outside_world(use: Any) -> None:
    message = attempt(use)
    assert "cannot be replayed, put it in a step" in message


@pytest.mark.parametrize(
    "name", [name for name in dir(asyncio.AbstractEventLoop) if name.startswith("sock_")]
)
def test_sockets(name: str) -> None:
    with socket.socket() as plain:
        assert f"loop.{name}() does not work in a workflow" in attempt(
            lambda loop: getattr(loop, name)(plain)
        )


@pytest.mark.parametrize(
    "use",
    [
        lambda loop: loop.run_forever(),
        lambda loop: loop.stop(),
        lambda loop: loop.close(),
        lambda loop: loop.shutdown_asyncgens(),
        lambda loop: loop.shutdown_default_executor(),
        lambda loop: loop.set_debug(True),
    ],
)
def test_the_life_of_the_loop(use: Any) -> None:
    assert "the loop of a workflow is run by the engine, leave the call out" in attempt(use)


def test_signals_of_the_process() -> None:
    assert "for messages from outside use orquestrax.receive" in attempt(
        lambda loop: loop.add_signal_handler(2, print)
    )
    assert "orquestrax.receive" in attempt(lambda loop: loop.remove_signal_handler(2))


def test_exception_handlers() -> None:
    assert "catch them in the callback" in attempt(lambda loop: loop.set_exception_handler(None))
    assert "catch them in the callback" in attempt(lambda loop: loop.default_exception_handler({}))


def test_other_threads() -> None:
    assert "let a step do it, or send the workflow a signal" in attempt(
        lambda loop: loop.call_soon_threadsafe(print)
    )
    assert "let a step do it, or send the workflow a signal" in attempt(
        lambda loop: asyncio.run_coroutine_threadsafe(step("a"), loop)
    )
    other: concurrent.futures.Future[None] = concurrent.futures.Future()
    assert "put the work in a step" in attempt(lambda _: asyncio.wrap_future(other))


@pytest.mark.parametrize(
    "use",
    [
        lambda _: asyncio.run(step("a")),
        lambda _: asyncio.Runner().__enter__(),
        lambda _: asyncio.Runner().get_loop(),
        lambda _: asyncio.new_event_loop(),
        lambda loop: loop.run_until_complete(asyncio.Future()),
    ],
)
def test_another_loop(use: Any) -> None:
    assert "the workflow has a loop already, await the coroutine or make a task of it (a plain" in attempt(
        use
    )


def test_task_factories() -> None:
    made = []

    def ours(loop: Any, coro: Any, **options: Any) -> Any:
        made.append(coro)
        return loop.make_task(coro, **options)

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(ours)
        assert loop.get_task_factory() is ours
        task = asyncio.create_task(step("a"), name="mine")
        async with asyncio.TaskGroup() as group:
            group.create_task(step("b"))
        return [await task, task.get_name()]

    run = Host(main)
    run.complete("a", 1)
    run.complete("b", 2)
    assert run.result == [1, "mine"]
    assert made

    def foreign(loop: Any, coro: Any, **_: Any) -> Any:
        return asyncio.Task(coro, loop=loop)

    def use(loop: Any) -> Any:
        loop.set_task_factory(foreign)
        return loop.create_task(asyncio.sleep(0))

    assert "let the task factory return loop.make_task(coro, context=context)" in attempt(use)


def test_no_method_of_an_event_loop_is_forgotten() -> None:
    """Whatever a newer Python adds shows up here instead of as NotImplementedError in a workflow."""
    methods = [name for name in dir(asyncio.AbstractEventLoop) if not name.startswith("__")]
    left_out = [
        name for name in methods if getattr(Loop, name, None) is getattr(asyncio.AbstractEventLoop, name)
    ]
    assert left_out == ["_timer_handle_cancelled"]


def test_a_future_of_another_loop_fails_at_once() -> None:
    other = asyncio.new_event_loop()
    try:
        foreign = other.create_future()

        async def main() -> None:
            await foreign

        error, message = Host(main).error
        assert error == "RuntimeError"
        assert "attached to a different loop" in message
    finally:
        other.close()


def test_what_is_not_awaitable_by_asyncio_fails_at_once() -> None:
    class Odd:
        def __await__(self) -> Any:
            yield "nonsense"

    async def main() -> None:
        await Odd()

    assert Host(main).error == ["RuntimeError", "Task got bad yield: 'nonsense'"]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("now()", ox.now),
        ("uuid4()", ox.uuid4),
        ("random()", ox.random),
        ("info()", ox.info),
        ("step 'a'", lambda: ox.ask_step(FakeStep("a"), b"[]", None, None)),  # type: ignore[arg-type]
    ],
)
def test_outside_of_workflows(name: str, call: Any) -> None:
    assert ox.current() is None
    with pytest.raises(NotInWorkflow) as raised:
        call()
    assert str(raised.value) == f"{name} works only in the code of a workflow, and none is running here"


async def test_receive_outside_of_workflows() -> None:
    with pytest.raises(NotInWorkflow, match=r"receive\('go'\) works only in the code of a workflow"):
        await ox.receive("go")
