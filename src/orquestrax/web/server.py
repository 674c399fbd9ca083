"""uvicorn inside the node's event loop: one process, one loop, engine and dashboard side by side."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from orquestrax.settings import Settings
from orquestrax.web.listening import bind, is_loopback, require_token
from orquestrax.web.live import close_streams

GRACE: Final = 1.0  # seconds for answers under way; streams are closed before


class WebServer:
    """Serves an app at the settings' host and port, from `start` to `stop`.

    It runs in the calling loop and leaves signals alone: whoever owns the process decides when it ends. With
    `listening`, a socket that is bound already, it serves there: a successor can then wait behind it.
    """

    def __init__(self, app: FastAPI, settings: Settings, *, listening: socket.socket | None = None) -> None:
        self._app, self._settings, self._listening = app, settings, listening
        self._server: _Guest | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = settings.port

    @property
    def url(self) -> str:
        """Where people find it."""
        host = self._settings.host
        name = "localhost" if is_loopback(host) else f"[{host}]" if ":" in host else host
        return f"http://{name}:{self.port}"

    async def start(self) -> None:
        """Bind and serve. Raises SettingsError if the port is taken or the host needs a token first."""
        require_token(self._settings)
        listening = self._listening or bind(self._settings.host, self._settings.port)
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
