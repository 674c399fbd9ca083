"""A restart of PostgreSQL in the middle: `kill -9` of the server, and everything goes on without help."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import orquestrax as ox
from orquestrax.client.client import Client
from orquestrax.core.store.database import Address
from orquestrax.core.store.embedded import EmbeddedServer, start_embedded
from orquestrax.core.store.embedded.postmaster import running as found_running
from orquestrax.core.store.migrate import migrate
from orquestrax.node import EngineOptions
from tests.checker import check_instance
from tests.homes import copied
from tests.store.support import Rig, running, until

OPTIONS = EngineOptions(poll=0.2, heartbeat=0.3, park_after=0.5)
OUTCOME = sum(range(6)) + sum(range(10, 15)) + 1
CAUSES = ("step_retrying", "taken_over")
bodies: Counter[str] = Counter()
busy = asyncio.Event()


@ox.step
async def count(name: str, n: int) -> int:
    bodies[f"{name}/{n}"] += 1
    busy.set()
    await asyncio.sleep(0.02)
    return n


@ox.workflow
async def steady(name: str) -> int:
    """Steps, a fan-out, timers short and long enough to park, and a signal."""
    total = 0
    for n in range(6):
        total += await count(name, n)
        await asyncio.sleep(0.1)
    total += sum(await asyncio.gather(*(count(name, n) for n in range(10, 15))))
    await asyncio.sleep(1.5)
    return total + await ox.receive("more", int)


@dataclass
class OwnServer:
    """A server of this test's own that it may kill and start again."""

    home: Path
    users: list[EmbeddedServer] = field(default_factory=list)

    def start(self) -> EmbeddedServer:
        self.users.append(start_embedded(home=self.home / "home", project=self.home))
        return self.users[-1]

    def kill(self) -> None:
        """`kill -9` of the postmaster; its children notice and end."""
        found = found_running(self.home / "home" / "postgres" / "data")
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)


@pytest.fixture
def own(made: Path) -> Iterator[OwnServer]:
    with copied(made) as place:
        server = OwnServer(place)
        yield server
        for user in server.users:
            user.stop()


async def kill_and_restart(own: OwnServer, times: int, pause: float) -> None:
    for _ in range(times):
        own.kill()
        await asyncio.sleep(pause)
        await asyncio.to_thread(own.start)
        busy.clear()
        await asyncio.wait_for(busy.wait(), 20)


async def test_I1_I8_I10_I23_running_workflows_finish_after_a_restart_of_postgresql(
    own: OwnServer, tmp_path: Path
):
    """Twice; half of them for a client without an engine, which polls a database that is away."""
    bodies.clear()
    address = Address(dsn=own.start().dsn, deadline=3)
    await migrate(address)
    async with Rig(address) as rig, running(rig, tmp_path, steady, options=OPTIONS) as (node, client):
        clients = [client, Client(rig.client, await rig.hints())] * 6
        runs = [await each.start(steady, f"s-{n}", id=f"s-{n}") for n, each in enumerate(clients)]
        results = [asyncio.create_task(run.result(90)) for run in runs]
        await asyncio.wait_for(busy.wait(), 20)
        fence = node.incarnation.fence.number
        await kill_and_restart(own, times=2, pause=0.4)
        for run in runs:
            await sent(run)
        assert await asyncio.gather(*results) == [OUTCOME] * len(runs)
        assert node.incarnation.fence.number == fence, "an outage is no death"
        for run in runs:
            await judge(client, run.id)


async def test_I1_I8_I10_I23_running_workflows_finish_although_every_connection_is_ended(
    rig: Rig, tmp_path: Path
):
    """Again and again, whatever the connection is doing: pool, journal, claims, heartbeat and hints."""
    bodies.clear()
    async with running(rig, tmp_path, steady, options=OPTIONS) as (node, client):
        runs = [await client.start(steady, f"s-{n}", id=f"s-{n}") for n in range(20)]
        results = [asyncio.create_task(run.result(90)) for run in runs]
        fence = node.incarnation.fence.number
        for _ in range(25):
            await rig.rows(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
                " and application_name like 'orquestrax%'"
            )
            await asyncio.sleep(0.1)
        for run in runs:
            await sent(run)
        assert await asyncio.gather(*results) == [OUTCOME] * len(runs)
        assert node.incarnation.fence.number == fence
        for run in runs:
            await judge(client, run.id)


async def sent(run: Any) -> None:
    """Send one signal until it is acknowledged, under one id, as a client should."""

    async def once() -> bool:
        try:
            await run.signal("more", 1, message_id=f"{run.id}/more")
        except ox.DatabaseError:
            return False
        return True

    await until(once, every=0.1)


async def judge(client: Client, id_: str) -> None:
    """The history is whole, and each body ran once unless an event says why it ran again."""
    events = await check_instance(client, steady, id_)
    causes = sum(event.type in CAUSES for event in events)
    extra = sum(n - 1 for body, n in bodies.items() if body.startswith(f"{id_}/"))
    assert extra == 0 or causes, f"{id_}: {extra} more runs of bodies, {causes} causes"
    signals = [event for event in events if event.type == "signal_received"]
    assert len(signals) == 1
