"""A PostgreSQL of the run's own, which faults may kill; it knows when each transaction was committed."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from orquestrax.base.errors import EmbeddedServerError
from orquestrax.core.store.embedded import EmbeddedServer, start_embedded
from orquestrax.core.store.embedded.postmaster import running


@dataclass
class Postgres:
    """`home` is its folder; `dsn` leads to it by its socket, past all proxies and partitions."""

    home: Path
    users: list[EmbeddedServer] = field(default_factory=list)
    dsn: str = ""

    async def start(self) -> None:
        """Start it, or start it again after its death: as often as it takes."""
        while True:
            try:
                server = await asyncio.to_thread(start_embedded, home=self.home, project=self.home)
            except EmbeddedServerError:  # killed while it recovered
                await asyncio.sleep(0.2)
                continue
            self.users.append(server)
            self.dsn = server.dsn
            return

    async def note_commits(self) -> None:
        """From now on it keeps the time of each commit: what a dead node wrote late gives itself away."""
        connection = await asyncpg.connect(self.dsn)
        await connection.execute("alter system set track_commit_timestamp = on")
        await connection.close()
        self.kill()
        await self.start()

    def kill(self) -> bool:
        """`kill -9` of the postmaster, also while it recovers; its children notice and end. False if there is none."""
        found = running(self.home / "postgres" / "data")
        if found is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGKILL)
        return True

    async def stop(self) -> None:
        """Stop it for good."""
        for user in self.users:
            await asyncio.to_thread(user.stop)
