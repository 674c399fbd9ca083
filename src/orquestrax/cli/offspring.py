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

from orquestrax.cli.control import Begin, Ended, Go, News, Order, decode_news, encode

PATIENCE: Final = 15.0  # seconds that a child has to end before it is killed
LONGEST: Final = 2**20  # bytes of one message


class Offspring:
    """Made by `Offspring.spawn`. It imports the code, waits for `go`, and serves until `stop`."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process, self._reader, self._writer = process, reader, writer

    @classmethod
    async def spawn(
        cls, modules: Sequence[str], flags: Mapping[str, Any], listening: socket.socket
    ) -> Offspring:
        """Start a child that imports these modules."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "orquestrax.cli.child",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us: we stop the child in order
                pass_fds=(theirs.fileno(), listening.fileno()),
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=LONGEST)
        self = cls(process, reader, writer)
        self._tell(Begin(list(modules), dict(flags), listening.fileno()))
        return self

    async def news(self) -> News:
        """What the child says next."""
        line = await self._reader.readline()
        return decode_news(line) if line.endswith(b"\n") else Ended()

    async def go(self) -> News:
        """Let it take over; Ready, or why not."""
        self._tell(Go())
        return await self.news()

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
