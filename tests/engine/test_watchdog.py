"""An event loop that no longer turns: who holds it is said by name and line, and a hung node stops its heartbeats."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.cluster.heartbeat import Heartbeat
from orquestrax.node import EngineOptions, Node
from orquestrax.node.watchdog import Watchdog
from tests.engine.conftest import Bench

LOGGER = "orquestrax.node.watchdog"
QUICK = EngineOptions(poll=0.1, stuck_after=0.2)


class Listener(logging.Handler):
    """Hears the watchdog, and lets go of the loop once it has said enough: nothing here waits for a time."""

    def __init__(self) -> None:
        super().__init__()
        self.enough = 1
        self.heard: list[str] = []
        self.at: list[float] = []
        self.let_go = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())
        self.at.append(time.monotonic())
        if len(self.heard) >= self.enough:
            self.let_go.set()


listener: Listener


@pytest.fixture(autouse=True)
def heard() -> Iterator[Listener]:
    global listener  # noqa: PLW0603 - workflows and steps of this module listen, too
    listener = Listener()
    logging.getLogger(LOGGER).addHandler(listener)
    yield listener
    listener.let_go.set()
    logging.getLogger(LOGGER).removeHandler(listener)


def spin() -> None:
    """Pure Python, which holds the interpreter but for a switch every 5 ms."""
    while not listener.let_go.is_set():
        pass


@ox.workflow
async def spinning() -> str:
    spin()
    return "let go"


@ox.workflow
def plainly_spinning() -> str:
    ox.await_(asyncio.sleep(0))
    spin()
    return "let go"


@ox.step
async def blocking() -> str:
    listener.let_go.wait(30)  # as time.sleep does: the interpreter is free, the loop is not
    return "let go"


@ox.workflow
async def with_a_blocking_step() -> str:
    return await blocking()


@ox.workflow
async def asleep() -> None:
    await asyncio.sleep(3600)


@pytest.mark.parametrize(
    ("workflow", "line", "whose"),
    [
        (spinning, spin.__code__.co_firstlineno, "workflow code of instance w"),
        (plainly_spinning, spin.__code__.co_firstlineno, "workflow code of instance w"),
        (with_a_blocking_step, blocking.line + 2, "step blocking of instance w"),
    ],
)
async def test_the_warning_names_instance_or_step_and_line(
    workflow: ox.Workflow[[], str], line: int, whose: str, bench: Bench, heard: Listener
) -> None:
    client = await bench.node(workflow, options=QUICK)
    run = await client.start(workflow, id="w")
    assert await run.result(20) == "let go"
    first = heard.heard[0]
    assert re.match(rf"the event loop has not turned for \d+ s: {whose} holds it at ", first)
    lines = {f"test_watchdog.py:{line + each} (`" for each in range(3)}
    assert any(each in first for each in lines), first
    assert "steps" in first or "plain `def` step" in first
    async with asyncio.timeout(20):
        while "turns again" not in heard.heard[-1]:
            await asyncio.sleep(0.01)


async def test_the_warning_comes_again_with_back_off(bench: Bench, heard: Listener) -> None:
    heard.enough = 3
    client = await bench.node(with_a_blocking_step, options=QUICK)
    await (await client.start(with_a_blocking_step)).result(20)
    assert len(heard.heard) >= 3
    first, second = heard.at[1] - heard.at[0], heard.at[2] - heard.at[1]
    assert second > 1.3 * first, heard.at


async def test_a_loop_that_turns_is_not_spoken_of(bench: Bench, heard: Listener) -> None:
    client = await bench.node(asleep, options=EngineOptions(stuck_after=1.0))
    await client.start(asleep)
    for _ in range(12):
        time.sleep(0.1)  # blocks, but not for long
        await asyncio.sleep(0)
    assert heard.heard == []


async def test_other_code_that_blocks_the_loop_is_named_by_its_line(bench: Bench, heard: Listener) -> None:
    await bench.node(asleep, options=QUICK)
    heard.let_go.wait(20)
    assert (
        f"code holds it at tests/engine/test_watchdog.py:{_line_of('heard.let_go.wait(20)')}"
        in heard.heard[0]
    )


def _line_of(text: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.strip() == text)


async def test_a_hung_node_that_is_not_its_own_process_stops_its_heartbeats_and_beats_again(
    bench: Bench, heard: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[float] = []
    original = Heartbeat._beat

    async def counted(self: Heartbeat, *args: object) -> bool:
        beats.append(time.monotonic())
        return await original(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Heartbeat, "_beat", counted)
    heard.enough = 3  # stuck, hung, still stuck
    options = EngineOptions(poll=0.1, heartbeat=0.02, stuck_after=0.3)
    client = await bench.node(with_a_blocking_step, options=options)
    watchdog = bench.nodes[0].watchdog
    watchdog._hung_after = 0.6
    await (await client.start(with_a_blocking_step)).result(20)
    stuck, hung, still = heard.at[:3]
    assert ["heartbeats stop" in each for each in heard.heard[:3]] == [False, True, False]
    assert [beat for beat in beats if stuck - 0.3 < beat < hung], "a node that is only slow beats"
    after = [beat for beat in beats if hung + 0.1 < beat < still]
    assert len(after) <= 1, "but for one that was on its way, a hung node does not beat"
    beats.clear()
    async with asyncio.timeout(20):
        while not (watchdog.turns() and beats):
            await asyncio.sleep(0.01)


async def test_a_heartbeat_asks_before_each_beat(bench: Bench) -> None:
    await bench.node(asleep)
    fence = bench.nodes[0].fence
    assert fence is not None
    allowed, asked = [False], threading.Event()

    def may_beat() -> bool:
        asked.set()
        return allowed[0]

    beat = asyncio.Event()
    heartbeat = Heartbeat(
        bench.address,
        fence,
        every=0.02,
        on_beat=lambda _now: beat.set(),
        on_fenced=lambda: None,
        may_beat=may_beat,
    )
    heartbeat.start()
    try:
        for _ in range(3):
            assert await asyncio.to_thread(asked.wait, 10)
            asked.clear()
        assert not beat.is_set()
        allowed[0] = True
        await asyncio.wait_for(beat.wait(), 20)
    finally:
        await heartbeat.stop()


async def test_time_in_which_the_process_could_not_run_does_not_count() -> None:
    """After SIGCONT, or with a machine that was suspended, the clock has jumped: that hangs nobody."""
    watchdog = Watchdog(stuck_after=5, hung_after=30, exits=False, loops=list)
    clock = [0.0]

    class Stopping:
        rounds = 0

        def wait(self, _seconds: float) -> bool:
            self.rounds += 1
            clock[0] += 1000.0  # each round the whole process was stopped for long
            return self.rounds > 3

    watchdog._stopping = Stopping()  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[Watchdog.__module__].time, "monotonic", lambda: clock[0])
        watchdog._watch()
    assert watchdog.turns()
    assert watchdog._stood_still == 2 * 2 * watchdog._tick


async def test_whoever_debugs_is_left_alone(heard: Listener) -> None:
    watchdog = Watchdog(stuck_after=0.01, hung_after=0.02, exits=True, loops=list)
    watchdog._stood_still = 60
    names = {"__name__": "pdb", "judge": watchdog._judge}
    exec("def interaction(): judge()\ninteraction()", names)
    assert watchdog._stood_still == 0
    assert heard.heard == []


async def test_a_node_that_stops_is_watched_no_more(bench: Bench) -> None:
    await bench.node(asleep, options=QUICK)
    node: Node = bench.nodes[0]
    thread = node.watchdog._thread
    assert thread.is_alive()
    await bench.stop()
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()


def test_the_setting_is_read() -> None:
    from orquestrax.settings import load_settings

    assert load_settings(environ={}).hung_after == 30.0
    assert load_settings(environ={"ORQUESTRAX_HUNG_AFTER": "5"}).hung_after == 5.0
    with pytest.raises(ox.SettingsError, match="hung_after from ORQUESTRAX_HUNG_AFTER is '0'"):
        load_settings(environ={"ORQUESTRAX_HUNG_AFTER": "0"})
    assert replace(load_settings(environ={}), hung_after=2).hung_after == 2
