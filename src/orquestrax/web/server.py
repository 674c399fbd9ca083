"""uvicorn inside the node's event loop: one process, one loop, engine and dashboard side by side."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from orquestrax.base.errors import SettingsError
from orquestrax.settings import Settings
from orquestrax.web.live import close_streams

GRACE: Final = 1.0  # seconds for answers under way; streams are closed before
BACKLOG: Final = 512
MIN_TOKEN: Final = 32


class WebServer:
    """Serves an app at the settings' host and port, from `start` to `stop`.

    It runs in the calling loop and leaves signals alone: whoever owns the process decides when it ends.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._server: _Guest | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = settings.port

    @property
    def url(self) -> str:
        """Where people find it."""
        host = self._settings.host
        return f"http://{'localhost' if is_loopback(host) else host}:{self.port}"

    async def start(self) -> None:
        """Bind and serve. Raises SettingsError if the port is taken or the host needs a token first."""
        require_token(self._settings)
        listening = bind(self._settings.host, self._settings.port)
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=max(1, round(GRACE)),
            server_header=False,
        )
        self._server = _Guest(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]), name="web server")
        await self._server.serving.wait()

    async def stop(self) -> None:
        """Close streams, let answers under way finish for a second, then end."""
        if self._server is None or self._task is None:
            return
        close_streams(self._app)
        self._server.should_exit = True
        await self._task
        self._server = self._task = None


class _Guest(uvicorn.Server):
    """A server that leaves the process's signals to whoever owns the process, and says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        self.serving.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SettingsError, one sentence, if that address cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"the host {host!r} cannot be used: {error.strerror}; check --host") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _not_bound(host, port, error) from error
    listening.setblocking(False)
    return listening


def _not_bound(host: str, port: int, error: OSError) -> SettingsError:
    if error.errno == errno.EADDRINUSE:
        return SettingsError(
            f"port {port} is taken: something else listens there; use --port {port + 1} or PORT={port + 1}"
        )
    if error.errno == errno.EACCES:
        return SettingsError(f"port {port} is not for ordinary users: use --port or PORT= with 1024 or more")
    return SettingsError(
        f"the dashboard cannot listen at {host}:{port}: {error.strerror}; use --host or --port"
    )


def require_token(settings: Settings) -> None:
    """Loopback needs no login; any other address is refused without a token. Raises SettingsError."""
    if is_loopback(settings.host):
        return
    if settings.token is None or len(settings.token) < MIN_TOKEN:
        raise SettingsError(
            f"host {settings.host} can be reached from other machines: set ORQUESTRAX_TOKEN to {MIN_TOKEN} "
            "characters or more, or leave --host out"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
