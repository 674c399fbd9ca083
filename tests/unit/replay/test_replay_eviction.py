"""Closing an instance at any point: no effect, no output, no memory kept."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.replay.awkward import effects, everything
from tests.unit.replay.kit import Host, Main, driven_to_its_end, new, rebuild, step
from tests.unit.replay.listening import Listener
from tests.unit.replay.plainly import everything as plain_everything
from tests.unit.replay.plainly import plain

from orquestrax.replay.context import current
from orquestrax.replay.instance import Replay

pytestmark = pytest.mark.usefixtures("listener")


@pytest.fixture(params=[everything, plain(plain_everything)], ids=["async", "plain"])
def host(request: pytest.FixtureRequest, listener: Listener) -> Host:
    """Driven to the end and closed; what it logged on its way is forgotten."""
    driven = driven_to_its_end(request.param)
    assert len(driven.history) >= 20
    driven.replay.close()
    gc.collect()
    assert listener.heard
    listener.heard.clear()
    return driven


def test_eviction_at_every_point(host: Host) -> None:
    for length in range(len(host.history) + 1):
        _evicted_without_effect(rebuild(host.main, host.history[:length]))


def test_eviction_before_the_start() -> None:
    replay = new(everything)
    _evicted_without_effect(replay)
    with pytest.raises(RuntimeError, match="was closed before"):
        replay.start()


def test_eviction_at_every_point_while_replaying(host: Host) -> None:
    for length in range(len(host.history) + 1):
        replay = new(host.main)
        replay.replaying = True
        replay.start()
        for event in host.history[:length]:
            replay.apply(event)
        _evicted_without_effect(replay)


def _evicted_without_effect(replay: Replay) -> None:
    before = replay.issued, replay.trail, replay.finish
    replay.close()
    assert (replay.issued, replay.trail, replay.finish) == before
    assert (replay.open, replay.waits()) == ({}, [])
    turn = replay.take()
    assert (turn.commands, turn.abandoned, turn.finish) == ([], [], None)
    assert replay.closed
    replay.close()


def test_a_closed_instance_takes_no_event() -> None:
    host = Host(effects)
    host.complete()
    replay = rebuild(effects, [])
    replay.close()
    host.replay.close()
    with pytest.raises(RuntimeError, match="'order-1' was closed"):
        replay.apply(host.history[0])


def test_eviction_within_a_task_of_the_host() -> None:
    async def host() -> None:
        asyncio.get_running_loop().call_soon(start.set_result, None)
        await start
        replays[0].close()
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is not None
        await asyncio.sleep(0)

    replays = [rebuild(everything, [])]
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        start = loop.create_future()
        runner.run(host())


def test_children_are_closed_before_their_parents() -> None:
    closed: list[str] = []

    async def nested(names: str) -> None:
        child = asyncio.create_task(nested(names[1:])) if names[1:] else step("a")
        try:
            await child
        finally:
            closed.append(names[0])

    rebuild(lambda: nested("xyz"), []).close()
    assert closed == ["z", "y", "x"]


def test_eviction_frees_the_memory() -> None:
    class Witness:
        pass

    def made() -> tuple[Replay, weakref.ref[Any]]:
        witness = Witness()

        async def main(held: Witness) -> None:
            mine = held
            await asyncio.gather(step("a"), asyncio.sleep(5))
            assert mine

        replay = rebuild(lambda: main(witness), [])
        return replay, weakref.ref(witness)

    replay, reference = made()
    replay.close()
    del replay
    gc.collect()
    assert reference() is None


def test_what_has_ended_goes_without_the_garbage_collector() -> None:
    async def main() -> Any:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        return await step("a")

    host = Host(main)
    host.complete("a", 1)
    assert host.replay.finished
    parts = weakref.ref(host.replay), weakref.ref(host.replay.loop)
    gc.collect()
    gc.disable()
    try:
        host.replay.close()
        del host
        assert [part() for part in parts] == [None, None]
    finally:
        gc.enable()


def test_code_that_closes_its_own_instance_still_knows_whose_it_is() -> None:
    found: list[Replay | None] = []

    async def main() -> None:
        replay.close()
        found.append(current())
        await step("a")

    replay = new(main)
    replay.start()
    assert found == [replay]
    assert not replay.take().commands


def test_eviction_of_what_has_not_run_yet() -> None:
    """The loop is closed in the middle of a round: by a fault of the owner while it encodes a result."""

    async def main() -> str:
        asyncio.create_task(step("a"))  # noqa: RUF006
        return "done"

    closing: list[Callable[[], None]] = []
    replay = Replay(
        new(main).identity,
        main,
        encode_result=lambda _: closing[0]() or b"",  # type: ignore[func-returns-value]
        encode_error=lambda _: b"",
    )
    closing.append(replay.close)
    replay.start()
    assert replay.closed


def test_other_coroutines_are_still_reported() -> None:
    """The silence is that of evicted instances only."""

    async def forgotten() -> None: ...

    rebuild(everything, []).close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        forgotten()
        gc.collect()
    assert [str(each.message) for each in caught] == [
        "coroutine 'test_other_coroutines_are_still_reported.<locals>.forgotten' was never awaited"
    ]


PROGRAM = """
import asyncio, gc, sys
sys.path.insert(0, {root!r})
from tests.unit.replay.awkward import effects, everything
from tests.unit.replay.kit import new, step
from tests.unit.replay.awkward import everything

async def endless():
    while True:
        try:
            await step("a")
        except BaseException:
            pass

for main in (everything, endless) if {close} else (everything,):
    replay = new(main)
    replay.start()
    if {close}:
        replay.close()
    del replay
    gc.collect()
"""


def test_a_whole_process_says_nothing(pytestconfig: pytest.Config) -> None:
    def run(*, close: bool) -> str:
        program = PROGRAM.format(root=str(pytestconfig.rootpath), close=close)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-X", "dev", "-c", program],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert run(close=True) == ""
    assert "was never awaited" in run(close=False) or "ignored GeneratorExit" in run(close=False)


def test_the_kit_can_drive_any_main() -> None:
    async def main() -> None: ...

    typed: Main = main
    assert Host(typed).result is None
