"""A rolling restart under load: two real nodes, one by SIGTERM, the other by an order through the database."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from tests.checker import check_instance

ORQUESTRAX = Path(sys.executable).with_name("orquestrax")
FLOWS = """
import asyncio, os
import orquestrax as ox

def trace(step):
    with open("bodies.txt", "a") as out:
        out.write(f"{ox.step_info().instance_id} {step}\\n")

@ox.step
async def pack(n: int) -> int:
    trace("pack")
    await asyncio.sleep(0.3)
    return n

@ox.step
def label(n: int) -> int:
    trace("label")
    return n

@ox.step(at_most_once=True)
async def post(n: int) -> int:
    trace("post")
    await asyncio.sleep(0.05)
    return n

@ox.workflow
async def parcel(n: int) -> int:
    packed = await pack(n)
    await asyncio.sleep(0.2)
    return await post(await label(packed))
"""


class Process:
    """`orquestrax start` as a process of its own."""

    def __init__(self, folder: Path, dsn: str, namespace: str) -> None:
        self.log = folder / "nodes.log"
        environment = {**os.environ, "ORQUESTRAX_HOME": str(folder / "home"), "NO_COLOR": "1"}
        command = [str(ORQUESTRAX), "start", "flows.py", "--roles", "engine,worker", "--grace", "30"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--database", dsn, "--namespace", namespace],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    async def ended(self) -> int:
        """Its exit status."""
        return await asyncio.to_thread(self.process.wait, 60)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


async def live(client: ox.Client, process: Process) -> int:
    """The fence of a process, once it is there."""
    async with asyncio.timeout(60):
        while True:
            for node in await client.store.nodes():
                if node.pid == process.process.pid and node.status == "alive":
                    return node.fence
            assert process.process.poll() is None, process.log.read_text()
            await asyncio.sleep(0.1)


async def load(client: ox.Client, workflow: ox.Workflow[[int], int], stop: asyncio.Event) -> list[str]:
    """Start one instance after the other, wait for all results; returns their ids."""
    waiting = list[asyncio.Task[int]]()
    while not stop.is_set():
        n = len(waiting)
        run = await client.start(workflow, n, id=f"p{n}")
        waiting.append(asyncio.create_task(run.result(60)))
        await asyncio.sleep(0.03)
    assert await asyncio.gather(*waiting) == list(range(len(waiting)))
    return [f"p{n}" for n in range(len(waiting))]


@pytest.mark.verify
@pytest.mark.timeout(300)
async def test_I8_a_rolling_restart_under_load_runs_no_body_twice_and_no_client_sees_an_error(
    dsn: str, tmp_path: Path, record_property
) -> None:
    namespace = "rolling"
    await migrate(Address(dsn=dsn, schema=namespace))
    (tmp_path / "flows.py").write_text(FLOWS)
    from orquestrax.define.modules import load_modules

    (flows,) = load_modules([str(tmp_path / "flows.py")])
    nodes = [Process(tmp_path, dsn, namespace) for _ in range(2)]
    try:
        async with ox.connect(dsn, namespace=namespace) as client:
            fences = [await live(client, node) for node in nodes]
            stop = asyncio.Event()
            loading = asyncio.create_task(load(client, flows.parcel, stop))
            await asyncio.sleep(2)
            began = time.monotonic()
            nodes[0].process.send_signal(signal.SIGTERM)
            assert await nodes[0].ended() == 0
            nodes[0] = Process(tmp_path, dsn, namespace)
            await live(client, nodes[0])
            command = [str(ORQUESTRAX), "drain", str(fences[1]), "--database", dsn, "--namespace", namespace]
            told = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, text=True, timeout=90
            )
            assert told.returncode == 0, told.stderr
            assert await nodes[1].ended() == 0
            nodes[1] = Process(tmp_path, dsn, namespace)
            await live(client, nodes[1])
            took = time.monotonic() - began
            await asyncio.sleep(1)
            stop.set()
            ids = await loading
            for id_ in ids[:: max(1, len(ids) // 50)]:
                await check_instance(client, flows.parcel, id_)
            rows = {node.fence: node.status for node in await client.store.nodes()}
            assert [rows[fence] for fence in fences] == ["stopped", "stopped"]
    finally:
        for node in nodes:
            node.kill()
    ran = Counter((tmp_path / "bodies.txt").read_text().split("\n")[:-1])
    assert len(ran) == 3 * len(ids)
    assert {body for body, times in ran.items() if times > 1} == set(), "a body ran again"
    record_property("table", f"rolling restart: {len(ids)} instances, both nodes new after {took:.1f} s")
