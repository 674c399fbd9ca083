"""Frames over a socket: four bytes of length, then the message.

The node's side is an asyncio protocol; the child's side blocks, because it has nothing else to do.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from typing import Final, cast

_LENGTH: Final = struct.Struct(">I")


class Frames(asyncio.Protocol):
    """The node's side. `on_frame` gets each message, `on_lost` tells that there will be no more."""

    def __init__(self, on_frame: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self._on_frame, self._on_lost = on_frame, on_lost
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        start, end = 0, len(buffer)
        while end - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            stop = start + _LENGTH.size + length
            if stop > end:
                break
            frame = bytes(memoryview(buffer)[start + _LENGTH.size : stop])
            start = stop
            self._on_frame(frame)
        del buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._on_lost()

    def send(self, message: bytes) -> None:
        """Hand a message over; one that nobody can hear any more is dropped."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_LENGTH.pack(len(message)) + message)

    def close(self) -> None:
        """Send what is left, then end the stream: the child hears that nothing more will come."""
        if self._transport is not None:
            self._transport.close()


class Wire:
    """The child's side. Several threads may send; a process that was forked off it may not, and does nothing."""

    def __init__(self, end: socket.socket) -> None:
        end.set_inheritable(False)  # programs that a body starts have no part in it
        self._socket: socket.socket | None = end
        self._reader = end.makefile("rb")
        self._sending = threading.Lock()

    def read(self) -> bytes | None:
        """The next message; None at the end."""
        head = self._reader.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack(head)
        body = self._reader.read(length)
        return body if len(body) == length else None

    def send(self, message: bytes) -> None:
        """Send a message. Errors: OSError when the node is gone."""
        with self._sending:
            if self._socket is not None:
                self._socket.sendall(_LENGTH.pack(len(message)) + message)

    @property
    def cut(self) -> bool:
        """Whether this process is a fork of the one that the wire belongs to."""
        return self._socket is None

    def forget(self) -> None:
        """After a fork: the other process goes on using it, this one has lost it."""
        self._sending = threading.Lock()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._reader.close()
