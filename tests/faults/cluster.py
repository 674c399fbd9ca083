"""Nodes as processes of their own in one schema, to be killed, frozen and poisoned."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orquestrax as ox
from orquestrax.core.store.clientverbs import NodeView
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from orquestrax.define.modules import load_modules

PATIENCE = 60.0


@dataclass
class Member:
    """One process. Its pid tells which of the cluster's incarnations are its own."""

    process: subprocess.Popen[bytes]
    fence: int = 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@dataclass
class Cluster:
    """`lease`, `heartbeat`, `poll` are the settings of each node; `flows` the code that all of them serve."""

    folder: Path
    address: Address
    client: ox.Client
    flows: str
    heartbeat: float = 0.5
    lease: float = 4.0
    poll: float = 0.2
    members: list[Member] = field(default_factory=list)

    async def start(
        self,
        home: str,
        *,
        lease: float | None = None,
        roles: Sequence[str] = ("--roles", "engine,worker"),
        module: str = "flows.py",
    ) -> Member:
        """A node whose home is of this name: those with the same one see each other's record locks.

        `roles` are the flags that say what it does, `module` is the code that it serves.
        """
        environment = {
            **os.environ,
            "ORQUESTRAX_HOME": str(self.folder / home),
            "ORQUESTRAX_HEARTBEAT": str(self.heartbeat),
            "ORQUESTRAX_LEASE": str(lease or self.lease),
            "ORQUESTRAX_POLL": str(self.poll),
        }
        where = ["--database", self.address.dsn, "--namespace", self.address.schema]
        with (self.folder / "nodes.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "orquestrax", "start", module, *roles, *where],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return await self.joined(process)

    async def joined(self, process: subprocess.Popen[bytes]) -> Member:
        """A process that ends with the cluster, once it is there as a node."""
        member = Member(process)
        self.members.append(member)
        async with asyncio.timeout(PATIENCE):
            while (row := await self.alive(process.pid)) is None:
                assert process.poll() is None, self.log()
                await asyncio.sleep(0.05)
        member.fence = row.fence
        return member

    async def nodes(self) -> dict[int, NodeView]:
        return {node.fence: node for node in await self.client.store.nodes()}

    async def alive(self, pid: int) -> NodeView | None:
        """The incarnation of a process that counts as alive."""
        found = [n for n in (await self.nodes()).values() if n.pid == pid and n.status == "alive"]
        return found[0] if found else None

    async def until_dead(self, member: Member) -> None:
        """Until the incarnation that it started as is declared dead."""
        async with asyncio.timeout(PATIENCE):
            while (await self.nodes())[member.fence].status != "dead":
                await asyncio.sleep(0.05)

    async def until_back(self, member: Member) -> NodeView:
        """The incarnation that its process has come back as, once the one that it started as is dead."""
        async with asyncio.timeout(PATIENCE):
            while (back := await self.alive(member.process.pid)) is None:
                await asyncio.sleep(0.05)
        return back

    def log(self) -> str:
        return (self.folder / "nodes.log").read_text()

    def lines(self, name: str) -> list[str]:
        """What bodies have left behind in a file of the folder."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    async def until_line(self, name: str, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.lines(name)) < times:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def cluster(
    folder: Path, dsn: str, schema: str, flows: str
) -> AsyncIterator[tuple[Cluster, dict[str, ox.Workflow]]]:
    """A schema of its own, a client, and the flows' workflows by name; all processes end with the block."""
    address = Address(dsn=dsn, schema=schema)
    await migrate(address)
    (folder / "flows.py").write_text(flows)
    copy = folder / "client" / f"{schema}_{folder.name}.py"
    copy.parent.mkdir()
    copy.write_text(flows)
    (module,) = load_modules([str(copy)])
    workflows = {w.name: w for w in vars(module).values() if isinstance(w, ox.Workflow)}
    async with ox.connect(database=dsn, namespace=schema) as client:
        made = Cluster(folder, address, client, flows)
        try:
            yield made, workflows
        finally:
            for member in made.members:
                member.thaw() if member.process.poll() is None else None
                member.kill()
            await client.store.database.query(f'drop schema "{schema}" cascade')
