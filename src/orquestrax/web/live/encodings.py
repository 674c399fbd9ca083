"""How a stream goes over the wire: plain, or as gzip where the browser takes it.

A compressor for each page would cost six times what all else about an open page does. So frames are deflated
once, whoever they go to, and a page's stream only strings them together; what is its own is the checksum.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from orquestrax.web.live.frames import Frame

# RFC 1952: deflate, no flags, no time, system unknown. And an empty last block, which ends a deflate stream.
_HEAD: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK: Final = b"\x03\x00"


class Plain:
    """As it is."""

    headers: Final[dict[str, str]] = {}
    head: Final = b""

    def add(self, frame: Frame) -> bytes:
        """The bytes of one more frame."""
        return frame.plain

    def end(self) -> bytes:
        """What ends the stream."""
        return b""


class Gzip:
    """One stream of gzip; its frames can be read as they come."""

    headers: Final = {"content-encoding": "gzip"}
    head: Final = _HEAD

    def __init__(self) -> None:
        self._sum, self._size = 0, 0

    def add(self, frame: Frame) -> bytes:
        """The bytes of one more frame."""
        self._sum = zlib.crc32(frame.plain, self._sum)
        self._size += len(frame.plain)
        return frame.deflated

    def end(self) -> bytes:
        """What ends the stream: checksum and size."""
        return _LAST_BLOCK + struct.pack("<II", self._sum, self._size & 0xFFFFFFFF)


Encoding = Plain | Gzip
