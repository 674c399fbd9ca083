"""A node with its dashboard, in this process or in one of its own, and what pages are watched for."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any, Self

import pytest
from playwright.async_api import ConsoleMessage, Page

from orquestrax import demo
from orquestrax.client.client import Client
from orquestrax.core.store.hints import Hints
from orquestrax.define.catalogue import collect
from orquestrax.node import Node
from orquestrax.settings import Settings
from orquestrax.web.app import create_app
from orquestrax.web.listening import bind
from orquestrax.web.server import WebServer
from tests.e2e import flows

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
SERVED = dict(collect([flows, demo]).workflows)


def chromium() -> str:
    """The browser; without one the test is skipped, aloud, and fails where CI is set."""
    found = os.environ.get("ORQUESTRAX_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found:
        return found
    reason = "no Chromium: install it, or name it in ORQUESTRAX_CHROMIUM"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port that nobody listens at just now."""
    with bind("127.0.0.1", 0) as listening:
        port: int = listening.getsockname()[1]
        return port


class Site:
    """A node and its dashboard in this process."""

    def __init__(
        self,
        dsn: str,
        namespace: str,
        home: Path,
        *,
        roles: str = "engine,worker",
        hints: bool = True,
        token: str | None = None,
    ) -> None:
        self.settings = Settings(
            database=dsn, namespace=namespace, home=home, project=home, port=free_port(), token=token
        )
        self.node = Node(self.settings, SERVED, migrates=True, roles=roles.split(","))
        self._hints = hints
        self.client: Client
        self.server: WebServer
        self.app: Any

    async def __aenter__(self) -> Self:
        self.client = await self.node.start()
        # Hints that are never started: what pages show then comes from the polls alone.
        heard = self.node.hints if self._hints else Hints(self.node.store.database.address)
        self.app = create_app(
            client=self.client, hints=heard, store=self.node.store, settings=self.settings, workflows=SERVED
        )
        self.server = WebServer(self.app, self.settings)
        await self.server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop()
        await self.node.stop(grace=0.5)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.port}"


class Watch:
    """Everything that a page complains about: errors in its console, and what its security policy refuses."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        self.expected: tuple[str, ...] = ()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def check(self) -> None:
        """Fail if there was anything that the test did not say it expects."""
        unexpected = [text for text in self.complaints if not any(word in text for word in self.expected)]
        assert not unexpected, unexpected


async def eventually(question: Any, wanted: Any = True, *, within: float = 60.0) -> None:
    """Ask until the answer is the wanted one: for what no event announces."""
    answer: Any = None
    try:
        async with asyncio.timeout(within):
            while (answer := await question()) != wanted:
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"it is {answer!r}, not {wanted!r}, after {within} s")
