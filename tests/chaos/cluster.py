"""The nodes: processes as a user starts them, each behind a proxy of its own, and brought back when they end.

A node is restarted by a keeper, as systemd would, unless a fault wants it to stay away. Nodes with the same home see
each other's record locks, as on one machine; the others have only the heartbeats.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg

from orquestrax.client.client import Client
from orquestrax.client.connect import connected
from orquestrax.core.store.database import CONNECTION_LOST, Address
from orquestrax.core.store.migrate import migrate
from orquestrax.settings import Settings
from tests.chaos.clock import Clock
from tests.chaos.network import Network, remove_left_behind
from tests.chaos.postgres import Postgres
from tests.chaos.witness import install_witness
from tests.store.proxy import Proxy

SCHEMA: Final = "chaos"
HEARTBEAT, LEASE, POLL = 1.0, 5.0, 1.0  # seconds: the defaults' proportions, in half the time
DEADLINE: Final = 4.0
GRACE: Final = 5.0
PATIENCE: Final = 60.0
SERVES: Final = b"Ctrl-C stops it"
LEASH: Final = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""What a node's command begins with, so that it does not outlive us, however we end."""
FLOWS: Final = Path(__file__).with_name("flows.py")
ON_TRIAL: Final = """
    select from {schema}.instances as i
    where i.suspicion > 1 and i.ended_at is null and i.status <> 'blocked' and not exists (
        select from {schema}.events as e where e.instance = i.key and e.seq > i.lost_seq
        and e.type not in ('taken_over', 'step_started', 'steps_queued')) and not (
        i.owner is not null and i.status = 'waiting' and not exists (
            select from json_array_elements(i.waits) as wait where wait ->> 'kind' = 'step'
            or (wait ->> 'until')::bigint <= extract(epoch from {schema}.now() + interval '10 s') * 1000000))
    union all
    select from {schema}.tasks where suspicion > 1 and lost is null
"""


@dataclass
class Node:
    """One machine's process. `network` is None where there are no namespaces, `clock` where it cannot be wrong."""

    number: int
    folder: Path
    home: str
    proxy: Proxy
    roles: str
    network: Network | None
    clock: Clock | None
    process: subprocess.Popen[bytes] | None = None
    away: bool = False
    killed: bool = False
    began: float = 0.0
    said: int = 0

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> Path:
        """What its processes have said, one after the other; `said` is how much that was before the present one."""
        return self.folder / f"node-{self.number}.log"

    @property
    def serves(self) -> bool:
        """Whether its process has said so, which it does once it can be told to drain."""
        return SERVES in self.log.read_bytes()[self.said :]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Begin; who wants to know when it serves asks the database."""
        environment = {
            **os.environ,
            "ORQUESTRAX_HOME": str(self.folder / self.home),
            "ORQUESTRAX_HEARTBEAT": str(HEARTBEAT),
            "ORQUESTRAX_LEASE": str(LEASE),
            "ORQUESTRAX_POLL": str(POLL),
            "ORQUESTRAX_DEADLINE": str(DEADLINE),
            "ORQUESTRAX_HUNG_AFTER": str(2 * LEASE),
            "CHAOS_BODIES": str(self.folder),
            "NO_COLOR": "1",
            **(self.clock.environment if self.clock else {}),
        }
        command = [
            sys.executable, "-m", "orquestrax", "start", str(FLOWS), "--roles", self.roles, "--slots", "12",
            "--grace", str(GRACE), "--database", self.proxy.address.dsn, "--namespace", SCHEMA,
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.said = log.tell()
            self.process = subprocess.Popen(
                [*LEASH, *(self.network.enter if self.network else []), *command],
                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.began, self.killed = time.monotonic(), False

    def signal(self, number: signal.Signals) -> None:
        """SIGKILL, SIGSTOP, SIGCONT or SIGTERM, to a process that is there."""
        if self.lives and self.process is not None:
            self.killed = self.killed or number == signal.SIGKILL
            self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit status, once it has ended."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait)


@dataclass
class Cluster:
    """`client` is of a process without an engine, and behind a proxy (`front`), too."""

    folder: Path
    postgres: Postgres
    nodes: list[Node]
    front: Proxy
    client: Client
    drains: list[float] = field(default_factory=list)

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Ask the database past everything that may be broken; waits until it answers."""
        while True:
            try:
                connection = await asyncpg.connect(self.postgres.dsn, timeout=DEADLINE)
                try:
                    return await connection.fetch(query.replace("{schema}", SCHEMA), *arguments)
                finally:
                    await connection.close()
            except (TimeoutError, *CONNECTION_LOST):
                await asyncio.sleep(0.2)

    async def alive(self) -> set[int]:
        """The pids of incarnations that count as alive."""
        return {
            row["pid"] for row in await self.rows("select pid from {schema}.nodes where status = 'alive'")
        }

    async def serving(self, *nodes: Node) -> bool:
        """Wait until each of them serves, whatever became of its process meanwhile; False if that never comes."""

        async def all_serve() -> bool:
            return {node.pid for node in nodes} <= await self.alive() and all(node.serves for node in nodes)

        return await self._until(all_serve)

    async def calm(self) -> bool:
        """Wait until every node serves and whoever ended before was declared dead; False if that never comes."""
        return await self._until(self._all_serve)

    async def untried(self) -> bool:
        """Wait until nothing is on trial for the death of two nodes (I18) but what sleeps; False if that never comes.

        If a third node is ended by somebody else while a body of the suspect runs on it, the suspect is convicted,
        whoever it was: nobody can tell.
        """
        return await self._until(self._nobody_is_tried)

    async def _all_serve(self) -> bool:
        return await self.alive() == {node.pid for node in self.nodes}

    async def _nobody_is_tried(self) -> bool:
        return not await self.rows(ON_TRIAL)

    async def _until(self, holds: Callable[[], Awaitable[bool]]) -> bool:
        try:
            async with asyncio.timeout(2 * PATIENCE):
                while not await holds():
                    await asyncio.sleep(0.1)
        except TimeoutError:
            return False
        return True

    async def keep(self) -> None:
        """Bring back what has ended, for ever."""
        while True:
            for node in self.nodes:
                if not node.lives and not node.away and time.monotonic() > node.began + 1:
                    node.start()
            await asyncio.sleep(0.1)

    async def drain(self, node: Node) -> int:
        """SIGTERM; returns its exit status."""
        began = time.monotonic()
        node.signal(signal.SIGTERM)
        status = await node.ended()
        self.drains.append(time.monotonic() - began)
        return status


@asynccontextmanager
async def running(
    folder: Path, homes: list[str], *, networks: bool, clock: Path | None
) -> AsyncIterator[Cluster]:
    """A PostgreSQL, one node for each name of a home, and a client. The last node has no engine."""
    async with AsyncExitStack() as stack:
        postgres = Postgres(folder / "pg")
        stack.push_async_callback(postgres.stop)
        await postgres.start()
        await postgres.note_commits()
        address = Address(dsn=postgres.dsn, schema=SCHEMA, deadline=DEADLINE)
        await migrate(address)
        await install_witness(address)
        if networks:
            remove_left_behind()
        nodes = []
        for number, home in enumerate(homes):
            network = _network(stack, number) if networks else None
            proxy = Proxy(address, host=network.gateway if network else "127.0.0.1")
            await stack.enter_async_context(proxy)
            wrong = Clock(folder / f"clock-{number}", clock) if clock else None
            roles = "worker" if number and number == len(homes) - 1 else "engine,worker"
            nodes.append(Node(number, folder, home, proxy, roles, network, wrong))
        front = await stack.enter_async_context(Proxy(address))
        settings = Settings(database=front.address.dsn, namespace=SCHEMA, deadline=DEADLINE)
        client = await stack.enter_async_context(connected(settings))
        cluster = Cluster(folder, postgres, nodes, front, client)
        stack.callback(_end, nodes)
        for node in nodes:
            node.start()
        assert await cluster.serving(*nodes), "\n".join(node.log.read_text() for node in nodes)
        yield cluster


def _network(stack: AsyncExitStack, number: int) -> Network:
    network = Network(number)
    network.make()
    stack.callback(network.remove)
    return network


def _end(nodes: list[Node]) -> None:
    for node in nodes:
        node.signal(signal.SIGKILL)
        if node.process is not None:
            node.process.wait()
