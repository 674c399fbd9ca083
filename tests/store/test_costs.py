"""What a workflow costs in the database: rows, commits, bytes of WAL and round trips, as upper bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import orquestrax as ox
from orquestrax.client.client import Client
from orquestrax.core.store.database import Address
from orquestrax.core.store.embedded import start_embedded
from orquestrax.core.store.migrate import migrate
from orquestrax.node import EngineOptions
from orquestrax.worker.runner import StepRunner
from tests.homes import copied
from tests.store.proxy import Proxy
from tests.store.support import Rig, running, until

QUIET = EngineOptions(poll=600, heartbeat=600, lease=6000)  # no poll and no beat falls into a measurement
TABLES = ["instances", "events", "inbox", "tasks"]
STEPS = 10


@ox.step
async def work(n: int) -> dict[str, int]:
    return {"n": n}


@ox.workflow
async def none(n: int) -> int:
    return n


@ox.workflow
async def one(n: int) -> dict[str, int]:
    return await work(n)


@ox.workflow
async def ten(n: int) -> int:
    return sum([(await work(n + k))["n"] for k in range(STEPS)])


@ox.workflow
async def spread(width: int) -> int:
    async def two(n: int) -> int:
        return (await work((await work(n))["n"] + 1))["n"]

    return sum(await asyncio.gather(*(two(n) for n in range(width))))


@pytest.fixture(autouse=True)
def quick_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a lot else to do makes no step of this file a long one, which costs an event and a row more."""
    defaults = StepRunner.__init__.__kwdefaults__
    assert defaults["long_after"] >= 1.0, "seconds until a step that runs is worth an event"
    monkeypatch.setitem(defaults, "long_after", 600.0)


async def drive(client: Client, workflow: Any, total: int, at_once: int) -> None:
    """Run a workflow `total` times, `at_once` at the same time."""
    numbers = iter(range(total))

    async def worker() -> None:
        for n in numbers:
            await (await client.start(workflow, n)).result()

    await asyncio.gather(*(worker() for _ in range(at_once)))


@pytest.mark.parametrize(("workflow", "events", "writes"), [(none, 1, 3), (one, 2, 4), (ten, 11, 13)])
async def test_rows_per_workflow(rig: Rig, tmp_path: Path, workflow: Any, events: int, writes: int):
    """The instance, an event a step, the terminal event, one update: a further step costs one row."""
    total = 30
    theirs = "select count(*) from pg_stat_activity where datname = current_database()"
    theirs += " and application_name like 'orquestrax journal%'"
    before = await rig.value(theirs)  # of another test's node that has not quite ended
    there = await written(rig)  # by other tests in the same schema
    async with running(rig, tmp_path, workflow, options=QUIET) as (_, client):
        await drive(client, workflow, total, 3)
    assert await rig.value("select count(*) from {schema}.events") == events * total
    # Sessions report what they have written at the latest when they end.
    await until(lambda: at_most(rig, theirs, before))
    assert total * (events + 1) <= await written(rig) - there <= total * writes


async def written(rig: Rig) -> int:
    """How many rows have ever been inserted, changed and deleted, as sessions have reported."""
    rows: int = await rig.value(
        "select sum(n_tup_ins + n_tup_upd + n_tup_del)::integer from pg_stat_user_tables"
        " where schemaname = $1 and relname = any($2)",
        rig.address.schema,
        TABLES,
    )
    return rows


async def test_results_of_a_fan_out_share_writes(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What ends while the journal is busy joins the write that waits, and what follows from it is done all the same."""
    width = 400
    async with running(rig, tmp_path, spread, options=QUIET) as (node, client):
        journal, submitted = node.incarnation.journal, []
        submit = journal.submit
        monkeypatch.setattr(journal, "submit", lambda write: (submitted.append(write.key), submit(write)))
        result = await (await client.start(spread, width)).result()
    assert result == sum(n + 1 for n in range(width))
    assert await rig.value("select count(*) from {schema}.events") == 2 * width + 1
    assert len(submitted) < width, "two results for each of them, most of which share a write"


async def at_most(rig: Rig, query: str, number: int) -> bool:
    few: bool = await rig.value(query) <= number
    return few


@pytest.fixture(scope="module")
def alone(made: Path) -> Iterator[Address]:
    """A server of this test's own: the position in the WAL belongs to all of a server."""
    with copied(made) as place:
        server = start_embedded(home=place / "home", project=place)
        yield Address(dsn=server.dsn)
        server.stop()


@dataclass
class Cost:
    """Of one workflow."""

    commits: float
    wal: float
    round_trips: float


@dataclass
class Meter:
    """A node behind a proxy, and what the database says."""

    rig: Rig
    node: Any
    client: Client
    proxy: Proxy

    async def read(self) -> tuple[int, int, int]:
        lsn = await self.rig.value("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        return self.node.incarnation.journal.commits, int(lsn), self.proxy.round_trips

    async def cost(self, workflow: Any, total: int, at_once: int) -> Cost:
        await drive(self.client, workflow, min(total, 50), at_once)  # statements prepared, pages written once
        before = await self.read()
        await drive(self.client, workflow, total, at_once)
        after = await self.read()
        return Cost(*((b - a) / total for a, b in zip(before, after, strict=True)))


@pytest.fixture
async def meter(alone: Address, tmp_path: Path) -> AsyncIterator[Meter]:
    await migrate(alone)
    async with Rig(alone) as rig, Proxy(alone) as proxy:
        whole = running(rig, tmp_path, none, one, ten, options=QUIET, address=proxy.address)
        async with whole as (node, client):
            yield Meter(rig, node, client, proxy)


async def test_under_load_hundreds_of_workflows_share_a_commit(meter: Meter):
    first, more = await meter.cost(one, 1000, 200), await meter.cost(ten, 200, 200)
    assert first.commits < 0.25, first
    assert first.round_trips < 2, first
    assert first.wal < 1800, first
    step = per_step(first, more)
    assert step.commits < 0.1, more
    assert step.round_trips < 1, more
    assert step.wal < 400, more


async def test_alone_a_workflow_of_one_step_is_two_commits(meter: Meter):
    """The start, and the step's result together with the end."""
    first, more = await meter.cost(one, 30, 1), await meter.cost(ten, 10, 1)
    assert first.commits <= 2, first
    assert first.round_trips <= 12, first
    step = per_step(first, more)
    assert step.commits <= 1, more
    assert step.round_trips <= 4.2, "begin, insert, commit; and a hint, off the commit path"


def per_step(first: Cost, more: Cost) -> Cost:
    """Of each step beyond the first."""
    pairs = ((first.commits, more.commits), (first.wal, more.wal), (first.round_trips, more.round_trips))
    return Cost(*((b - a) / (STEPS - 1) for a, b in pairs))
