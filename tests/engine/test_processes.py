"""Process steps in workflows: crashes are retried, progress is kept while they run, a successor goes on from it."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC
from typing import Any

import psutil
import pytest

from orquestrax.base.errors import SettingsError, WorkflowFailed
from orquestrax.client.handle import Run
from orquestrax.core.store.database import Database
from orquestrax.core.store.progress import ProgressStore
from orquestrax.node import Node
from orquestrax.settings import load_settings
from orquestrax.worker.slots import DEFAULT_SLOTS
from tests.engine import processing
from tests.engine.conftest import Bench


async def test_a_crash_is_in_the_history_and_retried(bench: Bench, tmp_path):
    (tmp_path / "result").write_text("42")
    client = await bench.node(processing.crashing)
    run = await client.start(processing.crashing, str(tmp_path))
    assert await run.result() == 42
    retrying = [event for event in await run.history() if event.type == "step_retrying"]
    assert [event.data["error"]["type"] for event in retrying] == ["ProcessCrashed"]
    assert "was killed by SIGSEGV" in retrying[0].data["error"]["message"]


async def test_progress_is_there_while_the_step_runs_and_gone_afterwards(bench: Bench, tmp_path):
    client = await bench.node(processing.counting)
    views = []
    client.hints.listen("view", views.append)
    run = await client.start(processing.counting, str(tmp_path))
    async with store(bench) as progress:
        view = await until_told(progress, run, 5)
        assert (view.done, view.total, view.note, view.details) == (5, 10, "row 4", "5")
        assert view.node == bench.nodes[0].incarnation.name
        (step,) = await run.progress()
        assert (step.command, step.done, step.details, step.told_at.tzinfo) == (1, 5, 5, UTC)
        assert any(str(run.key) in payload for payload in views), "open pages are told"
        (tmp_path / "go").touch()
        assert await run.result() == [0, 1]
        async with asyncio.timeout(20):
            while await progress.of([run.key]):
                await asyncio.sleep(0.02)


async def test_a_successor_goes_on_from_the_last_heartbeat(bench: Bench, tmp_path):
    client = await bench.node(processing.counting)
    run = await client.start(processing.counting, str(tmp_path), id="counted")
    async with store(bench) as progress:
        await until_told(progress, run, 5)
        await bench.crash()
        (tmp_path / "go").touch()
        again = await (await bench.node(processing.counting)).get("counted", processing.counting)
        assert await again.result() == [5, 1], "another node, the same attempt: it was never told of an end"
        async with asyncio.timeout(20):
            while await progress.of([run.key]):
                await asyncio.sleep(0.02)


async def test_nodes_keep_children_ready_and_end_them(bench: Bench):
    before = set(psutil.Process().children())
    await bench.node(processing.counting)
    async with asyncio.timeout(20):
        while len(bench.nodes[0].incarnation.runner._processes._idle) < 1:
            await asyncio.sleep(0.01)
    await bench.stop()
    assert set(psutil.Process().children()) <= before


async def test_progress_is_not_for_workflows(bench: Bench):
    client = await bench.node(processing.telling)
    run = await client.start(processing.telling)
    with pytest.raises(WorkflowFailed, match="is for the body of a step"):
        await run.result()


async def test_the_setting_says_how_many_processes(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ORQUESTRAX_PROCESSES", "1")
    settings = load_settings({"database": bench.dsn, "namespace": bench.namespace, "home": str(bench.home)})
    node = Node(settings, {"telling": processing.telling}, migrates=False)
    bench.nodes.append(node)
    await node.start()
    assert node.incarnation.runner.free("process") == 1
    rows = await bench.query("select slots->>'process' as n from {schema}.nodes")
    assert [row["n"] for row in rows] == ["1"]


def test_without_the_setting_there_is_one_per_core():
    assert DEFAULT_SLOTS["process"] == len(os.sched_getaffinity(0))
    assert load_settings({}, environ={}).processes is None


@pytest.mark.parametrize("wrong", ["0", "many", "1001"])
def test_a_wrong_number_is_refused(wrong: str):
    with pytest.raises(SettingsError, match="processes from ORQUESTRAX_PROCESSES is"):
        load_settings({}, environ={"ORQUESTRAX_PROCESSES": wrong})


class store:
    """The progress of a test's schema."""

    def __init__(self, bench: Bench) -> None:
        self._database = Database(bench.address)

    async def __aenter__(self) -> ProgressStore:
        await self._database.open()
        return ProgressStore(self._database)

    async def __aexit__(self, *exception: object) -> None:
        await self._database.close()


async def until_told(progress: ProgressStore, run: Run[Any], done: int) -> Any:
    """The row of the run's step, once it has got there."""
    async with asyncio.timeout(20):
        while True:
            for view in (await progress.of([run.key])).get(run.key, []):
                if view.done == done:
                    return view
            await asyncio.sleep(0.02)
