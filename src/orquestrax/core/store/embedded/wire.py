"""Just enough of PostgreSQL's protocol to ask a server on a Unix socket whether it is there.

The launcher blocks, also within a running event loop, so asyncpg is no choice, and psql takes ten times as
long. There is no authentication but trust: the socket's directory is what keeps others out.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

ANSWER_DEADLINE = 30.0  # seconds for one answer
PROTOCOL = 196608  # 3.0
UNKNOWN_DATABASE = "3D000"
NOT_NOW = frozenset({"57P01", "57P02", "57P03"})  # it starts, stops, or starts its servers anew after a crash


class Refused(Exception):
    """The server lives, and answered with an error."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(fields.get("M", "refused"))
        self.sqlstate = fields.get("C", "")


class Session:
    """One connection. Raises `Refused` for an error of the server, `OSError` if nobody answers in time."""

    def __init__(
        self, socket_dir: Path, port: int, *, user: str, database: str, seconds: float = 30.0
    ) -> None:
        self.parameters: dict[str, str] = {}
        self._socket = socket.socket(socket.AF_UNIX)
        self._reader = self._socket.makefile("rb")
        try:
            self._socket.settimeout(seconds)
            self._socket.connect(str(socket_dir / f".s.PGSQL.{port}"))
            self._send(b"", struct.pack("!i", PROTOCOL) + _strings("user", user, "database", database, ""))
            self._until_ready()
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def version(self) -> str:
        """The server's version without the packager's remarks, such as "18.1"."""
        return self.parameters["server_version"].split()[0]

    def execute(self, sql: str) -> None:
        """Run one statement outside of any transaction block."""
        self._send(b"Q", _strings(sql))
        self._until_ready()

    def close(self) -> None:
        try:
            self._send(b"X", b"")
        except OSError:
            pass  # it is gone already, which is what we want
        finally:
            self._close()

    def _close(self) -> None:
        self._reader.close()
        self._socket.close()

    def _send(self, kind: bytes, body: bytes) -> None:
        self._socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def _until_ready(self) -> None:
        """Read messages up to `ReadyForQuery`. An error ends the log-in at once, a query only with that."""
        logged_in = bool(self.parameters)
        error: Refused | None = None
        while True:
            kind, body = self._receive()
            if kind == b"S":
                name, value, _ = body.decode().split("\0")
                self.parameters[name] = value
            elif kind == b"R" and body[:4] != b"\0\0\0\0":
                raise Refused({"M": "it asks for a password, which an embedded server never does"})
            elif kind == b"E":
                error = Refused(
                    {part[:1]: part[1:] for part in body.decode(errors="replace").split("\0") if part}
                )
                if not logged_in:
                    raise error
            elif kind == b"Z":
                if error is not None:
                    raise error
                return

    def _receive(self) -> tuple[bytes, bytes]:
        head = self._read(5)
        return head[:1], self._read(struct.unpack("!i", head[1:])[0] - 4)

    def _read(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) < size:
            raise ConnectionResetError("the server closed the connection")
        return data


def _strings(*texts: str) -> bytes:
    return b"".join(text.encode() + b"\0" for text in texts)
