"""The leader of the upkeep is killed, and frozen: another one sweeps on, nothing else stops, never do two sweep.

Rows that have to be swept come all the time. The nodes' connections say whose they are, and a trigger notes for each
row that goes who has swept it, and whose the lead was in that moment.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.faults.cluster import PATIENCE, Cluster, Member, cluster

LEASE = 4.0
NODE = f"""
import asyncio
import sys
from pathlib import Path

from orquestrax.define.catalogue import collect, load_modules
from orquestrax.node import EngineOptions, Node
from orquestrax.settings import Settings


async def main(dsn: str, namespace: str, home: str) -> None:
    settings = Settings(database=dsn, namespace=namespace, home=Path(home), project=Path(home))
    options = EngineOptions(poll=0.1, heartbeat=0.5, lease={LEASE}, upkeep=0.1)
    node = Node(settings, collect(load_modules(["flows.py"])).workflows, options=options, migrates=False)
    await node.start()
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
"""
FLOWS = """
import orquestrax as ox


@ox.step
async def double(n: int) -> int:
    return 2 * n


@ox.workflow
async def doubles(n: int) -> int:
    return await double(n)
"""
# The row's end in the same transaction: who did it, by what its connection says, and whose the lead was then.
NOTED = """
create table {schema}.swept (number bigserial primary key, node text, fence integer, term bigint, held boolean);
create function {schema}.note_swept() returns trigger language plpgsql as $$ begin
    insert into {schema}.swept (node, fence, term, held)
    select current_setting('ox.node', true), fence, term, until > clock_timestamp() from {schema}.leader;
    return null; end $$;
create trigger note_swept after delete on {schema}.progress for each row execute function {schema}.note_swept();
"""
LEFT = """
insert into {schema}.progress (instance, command, attempt, node, told_at)
values (gen_random_uuid(), 1, 1, 0, now())
"""


@dataclass(kw_only=True)
class Upkept:
    """A cluster of named nodes, with something to sweep and something to do at any time."""

    nodes: Cluster
    workflow: Any
    connection: asyncpg.Connection
    named: dict[str, Member] = field(default_factory=dict)
    done: int = 0

    async def query(self, text: str) -> list[asyncpg.Record]:
        return await self.connection.fetch(text.replace("{schema}", f'"{self.nodes.address.schema}"'))

    async def start(self, name: str) -> None:
        dsn = self.nodes.address.dsn
        where = [f"{dsn}{'&' if '?' in dsn else '?'}ox.node={name}", self.nodes.address.schema, name]
        with (self.nodes.folder / "nodes.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "node.py", *where],
                cwd=self.nodes.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.named[name] = await self.nodes.joined(process)

    async def feed(self) -> None:
        """Rows that nobody needs any more, one after the other."""
        while True:
            await self.query(LEFT)
            await asyncio.sleep(0.03)

    async def work(self) -> None:
        """One workflow after the other. None of them may fail, or wait for long."""
        while True:
            run = await self.nodes.client.start(self.workflow, self.done)
            assert await run.result(PATIENCE) == 2 * self.done
            self.done += 1

    async def until_swept(self, *, after: int = 0, but_by: str = "") -> tuple[str, int]:
        """Who swept the first row behind the one of this number, and that row's; `but_by` has to be somebody else."""
        text = (
            f"select node, number from {{schema}}.swept where number > {after} and node <> '{but_by}' limit 1"
        )
        async with asyncio.timeout(PATIENCE):
            while not (found := await self.query(text)):
                await asyncio.sleep(0.05)
        return found[0]["node"], found[0]["number"]

    async def last_swept(self) -> int:
        return (await self.query("select coalesce(max(number), 0) as n from {schema}.swept"))[0]["n"]

    async def until_done(self, more: int) -> None:
        wanted = self.done + more
        async with asyncio.timeout(PATIENCE):
            while self.done < wanted:
                await asyncio.sleep(0.02)

    async def check(self) -> int:
        """Every row was swept by who had the lead then; returns how many terms there were."""
        pids = {row["fence"]: row["pid"] for row in await self.query("select fence, pid from {schema}.nodes")}
        names = {member.process.pid: name for name, member in self.named.items()}
        swept = await self.query("select node, fence, term, held from {schema}.swept order by number")
        assert all(row["held"] and names[pids[row["fence"]]] == row["node"] for row in swept)
        terms = {(row["term"], row["node"]) for row in swept}
        assert len(terms) == len({term for term, _ in terms}), "one node in each term"
        return len(terms)


@asynccontextmanager
async def upkept(folder: Path, dsn: str, schema: str) -> AsyncIterator[Upkept]:
    """Three nodes, one of which leads and has swept."""
    (folder / "node.py").write_text(NODE)
    async with cluster(folder, dsn, schema, FLOWS) as (nodes, workflows):
        connection, feeding = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
        made = Upkept(nodes=nodes, workflow=workflows["doubles"], connection=connection)
        fed = replace(made, connection=feeding)
        await connection.execute(NOTED.replace("{schema}", f'"{schema}"'))
        for name in ("a", "b", "c"):
            await made.start(name)
        tasks = [asyncio.create_task(fed.feed()), asyncio.create_task(made.work())]
        try:
            await made.until_swept()
            await made.until_done(5)
            yield made
            for task in tasks:
                assert not task.done(), task.exception()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            connection.terminate()
            feeding.terminate()


@pytest.mark.verify
@pytest.mark.timeout(240)
async def test_I23_a_leader_that_is_killed_is_followed_within_its_lease_and_nothing_waits_for_that(
    tmp_path: Path, dsn: str, record_property
) -> None:
    async with upkept(tmp_path, dsn, "leader_killed") as three:
        leader, _ = await three.until_swept(after=await three.last_swept())
        before = three.done
        three.named[leader].kill()
        killed, last = time.monotonic(), await three.last_swept()
        successor, _ = await three.until_swept(after=last)
        took = time.monotonic() - killed
        assert successor != leader
        assert took < LEASE + PATIENCE / 4, "within the lease, and looks of a busy machine"
        assert three.done > before, "workflows ended while nobody led"
        await three.until_done(5)
        assert await three.check() >= 2
    record_property(
        "table", f"leader killed: swept by another after {took:.1f} s, with a lease of {LEASE:g} s"
    )


@pytest.mark.verify
@pytest.mark.timeout(240)
async def test_I4_I23_a_leader_that_was_frozen_sweeps_nothing_in_another_ones_term(
    tmp_path: Path, dsn: str
) -> None:
    async with upkept(tmp_path, dsn, "leader_frozen") as three:
        for _ in range(3):
            leader, _ = await three.until_swept(after=await three.last_swept())
            zombie = three.named[leader]
            zombie.freeze()
            last = await three.last_swept()
            successor, last = await three.until_swept(after=last, but_by=leader)
            assert successor != leader
            await three.until_done(5)
            zombie.thaw()
            zombie.fence = (await three.nodes.until_back(zombie)).fence
            await three.until_swept(after=await three.last_swept())
        assert await three.check() >= 4
