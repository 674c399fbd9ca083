"""The processes of `dev` that run one state of the code: what was saved last, until something else is.

With one node it is one process that does everything. With several each node is a process of its own, and one more
serves the dashboard, so that it outlives every node. Who ends by itself, or is killed from the dashboard, is
followed by another with the code of that moment.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from orquestrax.cli.control import Failed, Kill, Loaded, News, Ready
from orquestrax.cli.failing import say, say_error
from orquestrax.cli.offspring import Offspring

PAUSE: Final = 1.0  # seconds before a child that crashed, or met an outage, is followed by another
NODE: Final = ("engine", "worker")
WEB: Final = "web"


def roles_of(nodes: int) -> list[tuple[str, ...]]:
    """What each process does."""
    return [(*NODE, WEB)] if nodes == 1 else [*[NODE] * nodes, (WEB,)]


class Generation:
    """Made by `Generation.spawn`. All import the code, wait for `go`, and serve until `stop`."""

    def __init__(self, children: list[Offspring], again: Callable[[Offspring], Any]) -> None:
        self._children, self._again = children, again
        self._keepers: list[asyncio.Task[None]] = []

    @classmethod
    async def spawn(
        cls, modules: Sequence[str], flags: Mapping[str, Any], listening: socket.socket, *, nodes: int
    ) -> Generation:
        """Start the processes of so many nodes; they import these modules."""

        def one(roles: Sequence[str]) -> Any:
            return Offspring.spawn(modules, flags, roles, listening if WEB in roles else None)

        children = await asyncio.gather(*map(one, roles_of(nodes)))
        return cls(list(children), lambda child: one(child.roles))

    async def loaded(self) -> News:
        """Whether the code imports: Loaded, or what the first of them says that has something else to say."""
        return await self._agree(Loaded, [child.news() for child in self._children])

    async def go(self) -> News:
        """Let them take over: Ready, or why one of them is not. Then whoever ends is followed by another."""
        said = await self._agree(Ready, [child.go() for child in self._children])
        if isinstance(said, Ready):
            self._keepers = [asyncio.create_task(self._keep(at)) for at in range(len(self._children))]
            self._tell_nodes()
        return said

    async def stop(self) -> None:
        """Let all hand over what they run, and end."""
        await self._stop_keeping()
        await asyncio.gather(*(child.stop() for child in self._children))

    def kill(self) -> None:
        """End all at once."""
        for keeper in self._keepers:
            keeper.cancel()
        for child in self._children:
            child.kill()

    async def _agree(self, wanted: type[Loaded | Ready], asked: Sequence[Any]) -> News:
        said: list[News] = await asyncio.gather(*asked)
        others = [news for news in said if not isinstance(news, wanted)]
        if others:
            return next((news for news in others if isinstance(news, Failed)), others[0])
        # The dashboard's process comes last, and it alone says where it is.
        return said[-1]

    # -- while they serve ---------------------------------------------------------------------------------------------

    async def _keep(self, at: int) -> None:
        """Follow one child by another whenever it ends."""
        while True:
            child = self._children[at]
            await self._listen(child)
            how = await child.ended()
            if child.condemned:
                say(f"node of process {child.pid} was killed from the dashboard: another takes its place")
            else:
                say_error(f"the code's process {how}: starting it again")
                await asyncio.sleep(PAUSE)
            self._children[at] = await self._another(child)
            self._tell_nodes()

    async def _listen(self, child: Offspring) -> None:
        """Do what it asks for, until it says nothing any more."""
        while isinstance(news := await child.news(), Kill):
            for each in self._children:
                if each.pid == news.pid and each.is_node:
                    each.condemned = True
                    each.kill()

    async def _another(self, child: Offspring) -> Offspring:
        """One that serves in its place; a fault of the code is for its change to mend."""
        while True:
            successor: Offspring = await self._again(child)
            try:
                news = await successor.news()
                if isinstance(news, Loaded):
                    news = await successor.go()
                if isinstance(news, Ready):
                    say(f"serving again: {', '.join(news.definitions)}")
                    return successor
                await successor.stop()
            except BaseException:
                successor.kill()
                raise
            await _pause_after(news)

    def _tell_nodes(self) -> None:
        pids = [child.pid for child in self._children if child.is_node]
        for child in self._children:
            child.tell_nodes(pids)

    async def _stop_keeping(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)


async def _pause_after(news: News) -> None:
    say_error(news.sentence if isinstance(news, Failed) else "the code's process ended while it began")
    if isinstance(news, Failed) and news.may_be_mended:
        say("waiting for a change")
        await asyncio.get_running_loop().create_future()  # the change brings another generation
    say("trying again")
    await asyncio.sleep(PAUSE)
