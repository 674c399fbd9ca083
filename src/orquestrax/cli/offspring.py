"""A child of `dev`, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from orquestrax.cli.control import Begin, Ended, Go, News, Nodes, Order, decode_news, encode

PATIENCE: Final = 15.0  # seconds that a child has to end before it is killed
LONGEST: Final = 2**20  # bytes of one message


class Offspring:
    """Made by `Offspring.spawn`. It imports the code, waits for `go`, and serves until `stop`."""

    def __init__(
        self,
        process: Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        roles: Sequence[str],
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer
        self.roles = tuple(roles)
        self.condemned = False  # killed on purpose

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def is_node(self) -> bool:
        """Whether it is one of the cluster, and not only its dashboard."""
        return "engine" in self.roles

    @classmethod
    async def spawn(
        cls,
        modules: Sequence[str],
        flags: Mapping[str, Any],
        roles: Sequence[str],
        listening: socket.socket | None,
    ) -> Offspring:
        """Start a child that imports these modules; with the dashboard if it gets a socket for it."""
        ours, theirs = socket.socketpair()
        descriptor = None if listening is None else listening.fileno()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "orquestrax.cli.child",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us: we stop the child in order
                pass_fds=[theirs.fileno(), *([] if descriptor is None else [descriptor])],
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=LONGEST)
        self = cls(process, reader, writer, roles)
        self._tell(Begin(list(modules), dict(flags), list(roles), descriptor))
        return self

    async def news(self) -> News:
        """What the child says next."""
        line = await self._reader.readline()
        return decode_news(line) if line.endswith(b"\n") else Ended()

    async def go(self) -> News:
        """Let it take over; Ready, or why not."""
        self._tell(Go())
        return await self.news()

    def tell_nodes(self, pids: Sequence[int]) -> None:
        """If it has the dashboard: which nodes may be killed there."""
        if "web" in self.roles:
            self._tell(Nodes(list(pids)))

    async def ended(self) -> str:
        """Wait for its end; how it ended, in words."""
        status = await self._process.wait()
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended with status {status}"

    async def stop(self) -> None:
        """Let it hand over what it runs and end; kill it if it takes too long."""
        self._writer.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._process.wait()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    def _tell(self, order: Order) -> None:
        self._writer.write(encode(order))
