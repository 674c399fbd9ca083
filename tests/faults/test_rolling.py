"""A rolling restart under load: every node, one after the other, while clients start, signal and await.

The clients are mere clients in this process, three that await and one that blocks. Bodies leave a line each, so one
that runs again is seen whatever the histories say.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import orquestrax as ox
from tests.checker import check_instance
from tests.faults.cluster import PATIENCE, Cluster, Member, cluster

ORQUESTRAX = Path(sys.executable).with_name("orquestrax")
NODES = 3
CLIENTS = 4
IN_FLIGHT = 6  # of each client
CHECKED = 50  # instances whose whole history is judged
# Eight coroutines at once and one child process: what is over goes through the queues.
FLAGS = ("--roles", "engine,worker", "--grace", "60", "--slots", "8", "--processes", "1")
FLOWS = """
import asyncio

import orquestrax as ox


def trace() -> None:
    info = ox.step_info()
    with open("bodies", "a") as out:
        out.write(f"{info.instance_id} {info.step} {info.command}\\n")


@ox.step
async def pack(n: int) -> int:
    trace()
    await asyncio.sleep(0.3)
    return n


@ox.step
def label(n: int) -> int:
    trace()
    return n


@ox.step(executor="process")
def weigh(n: int) -> int:
    trace()
    return n


@ox.step(at_most_once=True)
async def post(n: int) -> int:
    trace()
    await asyncio.sleep(0.05)
    return n


@ox.workflow
async def parcel(n: int) -> int:
    packed, weighed = await asyncio.gather(pack(n), weigh(n))
    street = await ox.receive("street", int)
    await asyncio.sleep(0.2)
    labelled = await asyncio.gather(*(label(n) for _ in range(2)))
    return await post(packed + weighed + street + sum(labelled))
"""
BODIES = 5  # of one parcel


@dataclass
class Heard:
    """What the clients heard: when each call succeeded, and which did not."""

    at: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    async def hear(self, what: str, call: Awaitable[Any]) -> Any:
        try:
            answer = await call
        except Exception as error:
            self.errors.append(f"{what}: {error!r}")
            raise
        self.at.append(time.monotonic())
        return answer

    @property
    def gap(self) -> float:
        """Seconds, the longest between two successes."""
        return max((b - a for a, b in pairwise(self.at)), default=0.0)


async def parcel(client: Any, workflow: Any, id_: str, heard: Heard) -> None:
    """One parcel of an awaiting client: started, told the street at some time, awaited."""
    run = await heard.hear(f"start {id_}", client.start(workflow, 1, id=id_))
    heard.ids.append(id_)
    await asyncio.sleep(random.uniform(0, 1))
    await heard.hear(f"signal {id_}", run.signal("street", 10))
    assert await heard.hear(f"result {id_}", run.result(PATIENCE)) == 14


async def blocking_parcel(client: Any, workflow: Any, id_: str, heard: Heard) -> None:
    """The same over a client that blocks, each call in a thread."""
    run = await heard.hear(f"start {id_}", asyncio.to_thread(client.start, workflow, 1, id=id_))
    heard.ids.append(id_)
    await heard.hear(f"signal {id_}", asyncio.to_thread(run.signal, "street", 10))
    assert await heard.hear(f"result {id_}", asyncio.to_thread(run.result, PATIENCE)) == 14


async def load(nodes: Cluster, workflow: Any, heard: Heard, stop: asyncio.Event) -> None:
    """All clients, each with some parcels in flight, until told to stop; then until the last one is there."""
    where = {"database": nodes.address.dsn, "namespace": nodes.address.schema}

    async def lane(send: Any, client: Any, name: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            await send(client, workflow, f"{name}-{number}", heard)

    async def awaiting(name: str) -> None:
        async with ox.connect(**where) as client, asyncio.TaskGroup() as group:
            for n in range(IN_FLIGHT):
                group.create_task(lane(parcel, client, f"{name}{n}"))

    async def blocking(name: str) -> None:
        opened = ox.connect_sync(**where)
        client = await asyncio.to_thread(opened.__enter__)
        try:
            async with asyncio.TaskGroup() as group:
                for n in range(2):
                    group.create_task(lane(blocking_parcel, client, f"{name}{n}"))
        finally:
            await asyncio.to_thread(opened.__exit__, None, None, None)

    async with asyncio.TaskGroup() as group:
        for n in range(CLIENTS - 1):
            group.create_task(awaiting(f"a{n}_"))
        group.create_task(blocking("b_"))


async def drained(nodes: Cluster, member: Member, *, by_order: bool) -> float:
    """End a node by SIGTERM, or by an order through the database; returns the seconds until it had nothing left."""
    if by_order:
        where = ["--database", nodes.address.dsn, "--namespace", nodes.address.schema]
        command = [str(ORQUESTRAX), "drain", str(member.fence), "--grace", "60", *where]
        told = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=120)
        assert told.returncode == 0, told.stderr
    else:
        member.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(member.process.wait, 120) == 0, nodes.log()
    row = (await nodes.nodes())[member.fence]
    assert row.status == "stopped"
    assert row.draining_at is not None
    assert row.ended_at is not None
    return (row.ended_at - row.draining_at) / 1e6


@pytest.mark.verify
@pytest.mark.timeout(400)
async def test_I8_a_rolling_restart_under_load_runs_no_body_twice_and_no_client_sees_an_error(
    dsn: str, tmp_path: Path, record_property
) -> None:
    heard, stop, drains = Heard(), asyncio.Event(), list[float]()
    async with cluster(tmp_path, dsn, "rolling", FLOWS) as (nodes, workflows):
        old = [await nodes.start(f"home{n}", roles=FLAGS) for n in range(NODES)]
        loading = asyncio.create_task(load(nodes, workflows["parcel"], heard, stop))
        try:
            await nodes.until_line("bodies", times=100)
            began = time.monotonic()
            for n, member in enumerate(old):
                drains.append(await drained(nodes, member, by_order=n % 2 == 1))
                await nodes.start(f"home{n}", roles=FLAGS)
            took = time.monotonic() - began
            await nodes.until_line("bodies", times=len(nodes.lines("bodies")) + 100)
        finally:
            stop.set()
            await loading
        for id_ in heard.ids[:: max(1, len(heard.ids) // CHECKED)]:
            await check_instance(nodes.client, workflows["parcel"], id_)
        ran = Counter(nodes.lines("bodies"))
    assert heard.errors == [], "a client saw an error"
    assert {body: times for body, times in ran.items() if times > 1} == {}, "a body ran again"
    assert len(ran) == BODIES * len(heard.ids)
    record_property(
        "table",
        f"rolling restart of {NODES} nodes in {took:.1f} s: {len(heard.ids)} instances, {len(heard.at)} calls, "
        f"no error, no body twice, drained in {', '.join(f'{each:.1f}' for each in drains)} s, "
        f"longest gap between two successes {heard.gap:.2f} s",
    )
