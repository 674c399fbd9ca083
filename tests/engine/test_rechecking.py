"""What has ended is replayed in a process with another hash seed, and what it did otherwise is said, with the line."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

import orquestrax as ox
from orquestrax.client.histories import read_history
from orquestrax.core.store.logs import LogStore
from orquestrax.define.rehearsal import History
from orquestrax.define.workflow import Workflow
from orquestrax.node import scrutiny
from orquestrax.node.rechecking import rechecker as recheckers
from orquestrax.node.rechecking.messages import Fits, Unknown
from orquestrax.node.rechecking.noting import Notes
from orquestrax.node.rechecking.process import Process, other_seed
from orquestrax.node.rechecking.rechecker import WAITING, Rechecker
from tests.engine import flawed
from tests.engine.conftest import Bench

LOGGER = "orquestrax.node.rechecking.rechecker"
FLAWED: list[tuple[Workflow[..., Any], tuple[Any, ...], str]] = [
    (flawed.in_the_order_of_a_set, (), "step"),
    (flawed.results_in_the_order_of_a_set, (), "the history has the result"),
    (flawed.with_the_clock_in_an_argument, (), "one replay has step one as command 1 with"),
    (flawed.with_a_timer_that_varies, (), "timer as command 1 with"),
]
SOUND: list[tuple[Workflow[..., Any], tuple[Any, ...], str]] = [
    (flawed.steady, (["b", "a"],), ""),
    (flawed.with_sets_as_values, (flawed.Order("x", frozenset(flawed.NAMES)),), ""),
]


@pytest.fixture
def rechecks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORQUESTRAX_RECHECK", "1")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


async def until_said(caplog: pytest.LogCaptureFixture, count: int) -> list[str]:
    async with asyncio.timeout(60):
        while len(said(caplog)) < count:
            await asyncio.sleep(0.02)
    return said(caplog)


async def test_I19_a_node_says_what_did_otherwise_with_another_hash_seed(
    bench: Bench, caplog: pytest.LogCaptureFixture, rechecks: None
) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    cases = [*FLAWED, *SOUND]
    client = await bench.node(*(workflow for workflow, _, _ in cases), flawed.failing)
    runs: list[ox.Run[Any]] = []
    for workflow, arguments, _ in cases:
        runs.append(await client.start(workflow, *arguments))
        await runs[-1].result(20)
    with pytest.raises(ox.WorkflowFailed):
        await (await client.start(flawed.failing)).result(20)
    heard = await until_said(caplog, len(cases) + 1)
    for workflow, _, fragment in FLAWED:
        (warning,) = [
            each for each in heard if each.startswith(f"workflow {workflow.name} is not deterministic")
        ]
        assert fragment in warning
    assert f"{flawed.__file__}:{flawed.in_the_order_of_a_set.line + 4}" in heard[0], "the line that asked"
    assert sum("is not deterministic" in each for each in heard) == len(FLAWED), heard
    runs.append(again := await client.start(flawed.in_the_order_of_a_set))
    await again.result(20)
    await asyncio.wait_for(_idle(bench), 60)
    assert sum("is not deterministic" in each for each in said(caplog)) == len(FLAWED), (
        "each workflow is named once"
    )
    found = await LogStore(client.store.database).findings([run.key for run in runs])
    assert list(found) == sorted(run.key for run in (*runs[: len(FLAWED)], again)), "each instance says so"
    assert FLAWED[0][2] in found[again.key]


async def _idle(bench: Bench) -> None:
    rechecker = bench.nodes[0]._rechecker
    assert rechecker is not None
    while rechecker._some.is_set():
        await asyncio.sleep(0.02)


async def test_the_other_process_is_one_stands_back_and_ends_with_the_node(
    bench: Bench, rechecks: None
) -> None:
    before = _children()
    client = await bench.node(flawed.steady)
    assert _children() == before, "nothing is started before there is something to replay"
    await asyncio.gather(*[(await client.start(flawed.steady, [])).result(20) for _ in range(5)])
    async with asyncio.timeout(20):
        while not _children() - before:
            await asyncio.sleep(0.02)
    await asyncio.wait_for(_idle(bench), 60)
    (pid,) = _children() - before
    child = psutil.Process(pid)
    assert child.nice() == 19
    assert child.environ()["PYTHONHASHSEED"] != os.environ.get("PYTHONHASHSEED")
    assert os.getpgid(pid) != os.getpgid(0), "Ctrl-C in the terminal is not for it"
    await bench.stop()
    assert _children() == before


def _children() -> set[int]:
    return {
        each.pid
        for each in psutil.Process().children()
        if any("rechecking.child" in part for part in each.cmdline())
    }


async def test_a_crowd_of_ends_is_sampled(bench: Bench) -> None:
    client = await bench.node(flawed.steady)
    notes = Notes(client.store.database, lambda _key: None)
    rechecker = Rechecker(client.store, {}, notes=notes, node=lambda: None)
    for _ in range(10 * WAITING):
        rechecker.ended(uuid4())
    assert len(rechecker._waiting) == WAITING


async def _history(client: ox.Client, workflow: Workflow[..., Any], *arguments: Any) -> History:
    run = await client.start(workflow, *arguments)
    await run.result(20)
    history = await read_history(client.store, run.key)
    assert history is not None
    return history


async def test_what_the_other_process_cannot_tell(bench: Bench, tmp_path: Path) -> None:
    hidden = flawed.within()
    client = await bench.node(hidden, flawed.steady)
    history, seen = await _history(client, hidden), await _history(client, flawed.steady, ["x"])
    process = await asyncio.to_thread(Process, idle=False)
    try:
        answer = await asyncio.to_thread(process.check, hidden, history)
        assert isinstance(answer, Unknown)
        assert "is not at the top of" in answer.reason
        assert isinstance(await asyncio.to_thread(process.check, flawed.steady, seen), Fits)
        other = ox.workflow(name="steady")(flawed.steady.fn)
        other.digest = "other"
        answer = await asyncio.to_thread(process.check, other, seen)
        assert isinstance(answer, Unknown)
        assert "has changed since" in answer.reason
        other.file = str(tmp_path / "gone.py")
        answer = await asyncio.to_thread(process.check, other, seen)
        assert isinstance(answer, Unknown)
        assert "there is no file" in answer.reason
    finally:
        process.close()


@pytest.mark.verify
async def test_a_child_that_hangs_is_killed_and_followed_by_another(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replay of an endless loop ends with the patience for it, or with the process that asked."""
    from orquestrax.define.modules import load_modules

    flow = tmp_path / f"endless_{os.getpid()}.py"
    flow.write_text(
        "import os\nimport orquestrax as ox\n@ox.workflow\nasync def endless() -> None:\n"
        f"    while os.getpid() != {os.getpid()}: pass\n"  # only here it ends
    )
    (module,) = load_modules([str(flow)])
    client = await bench.node(module.endless)
    history = await _history(client, module.endless)
    process = await asyncio.to_thread(Process, idle=False)
    try:
        answer = await asyncio.to_thread(process.check, module.endless, history, 3.0)
        assert answer == Unknown("the other process has ended")
        assert not process.alive
    finally:
        process.close()
    process = await asyncio.to_thread(Process, idle=False)
    asked = asyncio.create_task(asyncio.to_thread(process.check, module.endless, history))
    await asyncio.sleep(0)
    assert process._process.stdin is not None
    child = psutil.Process(process.pid)
    async with asyncio.timeout(30):
        while child.cpu_times().user < 1:  # it loops: importing alone takes less
            await asyncio.sleep(0.05)
    process._process.stdin.close()  # as when the parent is killed
    assert await asyncio.to_thread(process._process.wait, 20) == 0
    assert isinstance(await asked, Unknown)
    process.close()


async def test_users_output_and_effects_stay_out_of_it(bench: Bench, tmp_path: Path) -> None:
    from orquestrax.define.modules import load_modules

    flow = tmp_path / f"loud_{os.getpid()}.py"
    flow.write_text(
        "import sys\nfrom pathlib import Path\nimport orquestrax as ox\n"
        "print('imported', flush=True)\n"
        "@ox.workflow\nasync def loud() -> str:\n"
        "    print('running', flush=True); print('to stderr', file=sys.stderr)\n"
        f"    try: Path({str(tmp_path / 'effect')!r}).write_text('x')\n"
        "    except Exception: pass\n"
        "    return 'done'\n"
    )
    (module,) = load_modules([str(flow)])
    client = await bench.node(module.loud)
    history = await _history(client, module.loud)
    process = await asyncio.to_thread(Process, idle=False)
    try:
        assert isinstance(await asyncio.to_thread(process.check, module.loud, history), Fits)
    finally:
        process.close()
    assert not (tmp_path / "effect").exists(), "the hook is in the other process, too"


async def test_a_fault_of_the_check_is_no_fault_of_the_node(
    bench: Bench, caplog: pytest.LogCaptureFixture, rechecks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object, **_kwargs: object) -> None:
        raise OSError("no process left")

    monkeypatch.setattr(recheckers, "Process", fails)
    client = await bench.node(flawed.steady)
    assert await (await client.start(flawed.steady, ["x"])).result(20) == ["x"]
    assert "changes nothing of what runs" in (await until_said(caplog, 1))[0]
    assert await (await client.start(flawed.steady, ["y"])).result(20) == ["y"]


def test_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORQUESTRAX_GUARD", "ORQUESTRAX_RECHECK", "PYTEST_VERSION", "PYTEST_CURRENT_TEST"):
        monkeypatch.delenv(name, raising=False)
    assert not scrutiny.guard_wanted()
    assert not scrutiny.recheck_wanted()
    monkeypatch.setenv("PYTEST_VERSION", "9")
    assert scrutiny.guard_wanted()
    assert scrutiny.recheck_wanted()
    for off in ("0", "off", "No"):
        monkeypatch.setenv("ORQUESTRAX_GUARD", off)
        assert not scrutiny.guard_wanted()
    monkeypatch.delenv("PYTEST_VERSION")
    scrutiny.want()
    assert not scrutiny.guard_wanted(), "what was said stays"
    assert scrutiny.recheck_wanted()
    assert os.environ["ORQUESTRAX_RECHECK"] == "1"


def test_the_seed_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    drawn = iter([5, 5, 7])
    monkeypatch.setattr(random, "randrange", lambda *_: next(drawn))
    assert other_seed() == "7"
