"""A process whose event loop hangs ends by itself, says who held it, and its successor loses nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

import orquestrax as ox
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from orquestrax.define.modules import load_modules
from tests.checker import check_instance
from tests.faults.dev import PATIENCE, Dev

SCHEMA = "hung"
HUNG = 70
FLOWS = """
import time
from pathlib import Path

import orquestrax as ox


@ox.step
async def first() -> str:
    with Path("bodies").open("a") as bodies:
        bodies.write("first ")
    return "first"


@ox.step
async def second() -> str:
    {second}
    return "second"


@ox.workflow
async def flow() -> str:
    one = await first()
    {between}
    return one + " " + await second()
"""
FINE = FLOWS.format(second="pass", between="pass")
ENDLESS = FLOWS.format(second="pass", between="while True: pass")
BLOCKING = FLOWS.format(second="time.sleep(600)", between="pass")


@pytest.fixture
def schema(dsn: str) -> Iterator[Address]:
    address = Address(dsn=dsn, schema=SCHEMA)
    asyncio.run(migrate(address))
    yield address
    asyncio.run(_drop(dsn))


async def _drop(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"drop schema {SCHEMA} cascade")
    await connection.close()


def node(folder: Path, dsn: str) -> subprocess.Popen[str]:
    """`orquestrax start` in a folder: a loop may stand still there for a second."""
    environment = {**os.environ, "ORQUESTRAX_HOME": str(folder / "home"), "ORQUESTRAX_HUNG_AFTER": "1"}
    arguments = ["start", "flows.py", "--roles", "engine,worker", "--database", dsn, "--namespace", SCHEMA]
    return subprocess.Popen(
        [sys.executable, "-m", "orquestrax", *arguments],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("code", "whose", "text", "ran"),
    [
        # The turn that does not end takes the result that began it along: a takeover, so the body may run again.
        (ENDLESS, "workflow code of instance h", "while True: pass", 2),
        pytest.param(BLOCKING, "step second of instance h", "time.sleep(600)", 1, marks=pytest.mark.verify),
    ],
)
async def test_I8_I23_a_hung_process_ends_and_the_next_one_goes_on(
    code: str, whose: str, text: str, ran: int, tmp_path: Path, schema: Address
) -> None:
    flows = tmp_path / "flows.py"
    flows.write_text(code)
    flow = mended(tmp_path)
    line = code.splitlines().index(f"    {text}") + 1
    async with ox.connect(database=schema.dsn, namespace=SCHEMA) as client:
        process = node(tmp_path, schema.dsn)
        try:
            await until_served(client)
            run = await client.start(flow, id="h")
            _, told = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
        finally:
            process.kill()
        assert process.returncode == HUNG, told
        last = told.strip().splitlines()[-1]
        assert last.startswith("critical: the event loop has not turned for ")
        assert f"{whose} holds it at flows.py:{line} (`{text}`)" in last
        assert f"process {process.pid} ends, so that others take over" in last
        assert f'flows.py", line {line} in' in told, "the stacks"
        left = await run.status()
        assert left.status in ("running", "pending")
        assert left.blocked is None
        assert left.error is None

        flows.write_text(FINE)
        process = node(tmp_path, schema.dsn)
        try:
            assert await run.result(PATIENCE) == "first second"
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)
        assert (tmp_path / "bodies").read_text() == "first " * ran
        history = [event.type for event in await run.history() if event.type != "step_completed"]
        assert history == ["started", "taken_over", "completed"], "nothing speaks of a fault of the instance"
        await check_instance(client, flow, run.id)


def mended(folder: Path) -> ox.Workflow[[], str]:
    """The definition as this process knows it, with the code that is fine."""
    file = folder / "client" / f"flows_{folder.name}.py"
    file.parent.mkdir()
    file.write_text(FINE)
    (module,) = load_modules([str(file)])
    found: ox.Workflow[[], str] = module.flow
    return found


async def until_served(client: ox.Client) -> None:
    """Until a node has told of its definition."""
    async with asyncio.timeout(PATIENCE):
        while not any(each.served for each in await client.store.definitions()):
            await asyncio.sleep(0.05)


@pytest.mark.verify
def test_dev_starts_a_hung_child_again_and_mended_code_ends_the_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORQUESTRAX_HUNG_AFTER", "1")
    flows = tmp_path / "flows.py"
    flows.write_text(ENDLESS)
    dev = Dev.start(tmp_path, "flows.py")
    try:
        dev.ask("/instances", {"definition": "flow", "id": "h"})
        until_said(dev, f"ended with status {HUNG}: starting it again", times=2)
        flows.write_text(FINE)
        assert dev.until_ended("h")["result"] == "first second"
    finally:
        dev.stop()


def until_said(dev: Dev, text: str, times: int) -> None:
    """Until its log has this so many times; it grows while somebody waits."""
    log = dev.folder / "dev.log"
    for _ in range(int(PATIENCE / 0.1)):
        if log.read_text().count(text) >= times:
            return
        dev.process.poll()
        subprocess.run(["sleep", "0.1"], check=True)
    raise AssertionError(log.read_text())
