"""`dev`'s first process: it watches the files, and keeps the children that run their code, a generation.

    file changed ─▶ new children import it ─▶ if they cannot: a sentence is shown, the old ones go on
                                           └▶ if they can: the old ones hand their instances over and end,
                                              the new ones take them up, at the same socket

It never imports users' code, so it cannot be broken by it. It holds the dashboard's socket and a reference to
the embedded server, so both outlast every child. Children end when it does, however it ends: they watch their
end of the control socket.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orquestrax.cli.control import Failed, Loaded, News, Ready
from orquestrax.cli.failing import FAILED, say, say_error
from orquestrax.cli.generation import PAUSE, Generation
from orquestrax.core.store.embedded import start_embedded
from orquestrax.settings import Settings

if TYPE_CHECKING:
    from orquestrax.core.store.embedded import EmbeddedServer


class Supervisor:
    """Made for one `orquestrax dev`."""

    def __init__(
        self,
        modules: Sequence[str],
        settings: Settings,
        flags: Mapping[str, Any],
        listening: socket.socket,
        *,
        nodes: int = 1,
    ) -> None:
        self._modules, self._settings, self._flags = list(modules), settings, dict(flags)
        self._listening, self._nodes = listening, nodes
        self._current: Generation | None = None
        self._candidate: Generation | None = None
        self._files: dict[str, int] = {}
        self._try_again = False  # what went wrong was not the code, so no change of it is to be waited for
        self._folders = {_folder_of(module) for module in modules}

    async def run(self) -> int:
        """Until it is cancelled; or the exit status if it cannot start at all."""
        self._candidate = await self._spawn()  # it imports while PostgreSQL starts
        server = asyncio.create_task(self._server())
        try:
            first = True
            while True:
                status = await self._load(server, first=first)
                if status is not None:
                    return status
                first = False
                await self._until_change()
                self._candidate = await self._spawn()
        finally:
            await self._end(server)

    async def _spawn(self) -> Generation:
        return await Generation.spawn(self._modules, self._flags, self._listening, nodes=self._nodes)

    async def _server(self) -> EmbeddedServer | None:
        if self._settings.database is not None:
            return None
        home, project = self._settings.home, self._settings.project
        return await asyncio.to_thread(start_embedded, home=home, project=project)

    async def _load(self, server: asyncio.Task[EmbeddedServer | None], *, first: bool) -> int | None:
        """Let the candidate take over if its code imports; an exit status if nothing can ever work."""
        candidate, self._candidate = self._candidate, None
        assert candidate is not None
        try:
            news = await candidate.loaded()
            self._remember(news)
            await server
            if isinstance(news, Loaded):
                if self._current is not None:
                    await self._current.stop()
                    self._current = None
                news = await candidate.go()
        except BaseException:
            candidate.kill()
            raise
        if isinstance(news, Ready):
            self._current, self._try_again = candidate, False
            self._welcome(news) if first else say(f"reloaded: {', '.join(news.definitions)}")
            return None
        return await self._failed(candidate, news, first=first)

    async def _failed(self, candidate: Generation, news: News, *, first: bool) -> int | None:
        await candidate.stop()
        mended_by_change = isinstance(news, Failed) and news.may_be_mended
        say_error(news.sentence if isinstance(news, Failed) else "the code's process ended while it began")
        if first and not mended_by_change:
            return FAILED
        self._try_again = self._current is None and not mended_by_change
        if self._current is not None:
            say("the code from before goes on")
        else:
            say("trying again" if self._try_again else "waiting for a change")
        return None

    def _remember(self, news: News) -> None:
        """Which files to watch, and how old they were when they were read."""
        if isinstance(news, Loaded | Failed) and news.files:
            self._files = dict(news.files)

    def _welcome(self, news: Ready) -> None:
        say(f"dashboard: {news.url}{'/nodes' if self._nodes > 1 else ''}")
        say(f"serving: {', '.join(news.definitions)}")
        say("changes are loaded as they are saved; Ctrl-C stops, and what runs goes on at the next start")

    async def _until_change(self) -> None:
        """Return when the code has changed, or something else may be over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE if self._try_again else None):
                await self._changed()

    async def _changed(self) -> None:
        """Return at a change of a watched file; where nothing imports yet, of any module beside them."""
        from watchfiles import awatch

        folders = {str(Path(file).parent) for file in self._files} | {str(f) for f in self._folders}
        watching = awatch(
            *filter(os.path.isdir, sorted(folders)),
            watch_filter=lambda _change, path: self._matters(path),
            recursive=False,
            debounce=200,
            step=30,
            rust_timeout=1000,
            yield_on_timeout=True,
        )
        async for changes in watching:  # the first look also finds what changed while nobody watched
            if changes or any(_age(file) != age for file, age in self._files.items()):
                return

    def _matters(self, path: str) -> bool:
        return path in self._files or (self._current is None and path.endswith(".py"))

    async def _end(self, server: asyncio.Task[EmbeddedServer | None]) -> None:
        """Children first: they need the server to hand their instances over."""
        for child in (self._candidate, self._current):
            if child is not None:
                await child.stop()
        with suppress(Exception, asyncio.CancelledError):
            started = await server
            if started is not None:
                await asyncio.to_thread(started.stop)


def _folder_of(module: str) -> Path:
    if module.endswith(".py"):
        return Path(module).resolve().parent
    return Path.cwd().joinpath(*module.split(".")[:-1])


def _age(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return 0
