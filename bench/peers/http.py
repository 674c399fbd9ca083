"""The least HTTP/1.1 client there can be: what a benchmark's client costs is not to be charged to its server."""

from __future__ import annotations

import asyncio
import json
from typing import Any


class Requests:
    """JSON requests to one address over connections that are kept."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, value: Any) -> Any:
        """The answer to a POST. Raises RuntimeError unless its status is 2xx."""
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        body = json.dumps(value).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = await self._answer(reader, path)
        self._idle.append((reader, writer))
        return answer

    async def _answer(self, reader: asyncio.StreamReader, path: str) -> Any:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        lines = head.split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        if "content-length" in fields:
            body = await reader.readexactly(int(fields["content-length"]))
        else:
            body = b"".join([chunk async for chunk in _chunks(reader)])
        if lines[0].split(" ")[1][0] != "2":
            raise RuntimeError(f"{path}: {lines[0]}: {body.decode(errors='replace')}")
        return json.loads(body) if body else None


async def _chunks(reader: asyncio.StreamReader) -> Any:
    while size := int((await reader.readuntil(b"\r\n")).strip() or b"0", 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
