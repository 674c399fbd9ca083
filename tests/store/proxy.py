"""A proxy before PostgreSQL that understands its messages, and cuts a connection exactly at one of them."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

from orquestrax.core.store.database import Address

CANCEL_REQUEST, SSL_REQUEST, GSS_REQUEST = 80877102, 80877103, 80877104

How = Literal["before", "after", "hold", "swallow", "wait"]


@dataclass
class Fault:
    """What to do at the first message that matches, `times` times, on connections whose name has `on` in it.

    before   cut both sides, the server never gets the message
    after    forward it, wait for the server's answer, cut both sides instead of handing it on
    hold     cut the client's side; the server gets the message when `released` is set
    swallow  neither forward nor cut: the client waits for an answer that never comes
    wait     forward it when `released` is set, and cut nothing
    """

    how: How
    match: Callable[[bytes, bytes], bool]
    times: int = 1
    on: bytes = b""
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


def at_commit(how: How, times: int = 1, on: bytes = b"") -> Fault:
    """At COMMIT as the engine sends it."""
    return Fault(how, lambda kind, body: kind == b"Q" and body == b"commit\0", times, on)


def at_execution(how: How, times: int = 1) -> Fault:
    """At the execution of a prepared statement, which for a single statement is its commit too."""
    return Fault(how, lambda kind, _body: kind == b"B", times)


class Proxy:
    """Listens on `host`; `address` leads through it to the server of the address that it was made with."""

    def __init__(self, target: Address, *, host: str = "127.0.0.1") -> None:
        self.target, self.host = target, host
        self.faults: list[Fault] = []
        self.cancels = 0
        self.statements: list[bytes] = []
        self.round_trips = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        port = self._server.sockets[0].getsockname()[1]
        parts = urlsplit(self.target.dsn)
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user}@{self.host}:{port}" if user else f"{self.host}:{port}"
        self.address = replace(self.target, dsn=f"postgresql://{netloc}{parts.path}?sslmode=disable")
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        self.cut_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def fault(self, fault: Fault) -> Fault:
        """Arm a fault."""
        self.faults.append(fault)
        return fault

    def cut_all(self) -> None:
        """Cut every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _upstream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.target.dsn)
        query = parse_qs(parts.query)
        host = query.get("host", [parts.hostname or "localhost"])[0]
        port = int(query.get("port", [str(parts.port or 5432)])[0])
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._session(reader, writer)
        writer.transport.abort()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        startup = await _startup(reader)
        while _code(startup) in (SSL_REQUEST, GSS_REQUEST):
            writer.write(b"N")
            startup = await _startup(reader)
        up_reader, up_writer = await self._upstream()
        up_writer.write(startup)
        if _code(startup) == CANCEL_REQUEST:
            self.cancels += 1
            up_writer.close()
            return
        self._writers |= {writer, up_writer}
        session = _Session(self, startup, reader, writer, up_reader, up_writer)
        try:
            await session.run()
        finally:
            up_writer.transport.abort()
            self._writers -= {writer, up_writer}


@dataclass
class _Session:
    proxy: Proxy
    startup: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    up_reader: asyncio.StreamReader
    up_writer: asyncio.StreamWriter
    mute: bool = False
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        back = asyncio.create_task(self._back())
        try:
            while await self._forth():
                pass
        finally:
            back.cancel()

    async def _back(self) -> None:
        with suppress(OSError):
            while data := await self.up_reader.read(65536):
                self.answered.set()
                if not self.mute:
                    self.writer.write(data)
                    await self.writer.drain()  # who does not read keeps the server waiting
        if not self.mute:  # else the client learns nothing, as in a partition
            self.writer.transport.abort()

    async def _forth(self) -> bool:
        """Hand on one message of the client; False when the session is over."""
        head = await self.reader.readexactly(5)
        kind, size = head[:1], struct.unpack("!I", head[1:])[0]
        body = await self.reader.readexactly(size - 4)
        self.proxy.round_trips += kind in (b"Q", b"S", b"H")  # what makes the server answer
        if kind in (b"Q", b"P"):
            self.proxy.statements.append(body)
        faults = [f for f in self.proxy.faults if f.times and f.on in self.startup and f.match(kind, body)]
        fault = faults[0] if faults else None
        if fault is None:
            self.up_writer.write(head + body)
            await self.up_writer.drain()
            return True
        fault.times -= 1
        return await self._strike(fault, kind, head + body)

    async def _strike(self, fault: Fault, kind: bytes, message: bytes) -> bool:
        if fault.how == "before":
            fault.struck.set()
            return False
        if fault.how == "wait":
            fault.struck.set()
            await fault.released.wait()
            self.up_writer.write(message)
            return True
        self.mute = True
        if kind == b"B":  # the rest of its pipeline: Execute and Sync
            message += await self._rest()
        if fault.how == "after":
            self.answered.clear()
            self.up_writer.write(message)
            await self.answered.wait()
            fault.struck.set()
            return False
        fault.struck.set()
        if fault.how == "hold":
            self.writer.transport.abort()
            await fault.released.wait()
            self.answered.clear()
            self.up_writer.write(message)
            await self.answered.wait()
            return False
        await self.reader.read()  # until the client goes
        return False

    async def _rest(self) -> bytes:
        rest = b""
        while not rest.endswith(b"S\x00\x00\x00\x04"):
            rest += await self.reader.readexactly(1)
        return rest


async def _startup(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack("!I", head)[0] - 4)


def _code(startup: bytes) -> int:
    code: int = struct.unpack("!I", startup[4:8])[0]
    return code
