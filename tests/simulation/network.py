"""The ways between processes and the server: what is late, lost, or cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import asyncpg

from tests.simulation.server import Reply, Server, Session
from tests.simulation.world import ProcessLoop, World

DEADLINE: Final = 10.0  # seconds that a client waits for an answer
Act = Callable[[Session, Reply], None]


class Network:
    """What a plan does to it. Rates are shares of all requests; `cut` names processes that nothing reaches."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cut: set[str] = set()
        self.down = 0  # outages of the database that last
        self.lost_before = self.lost_after = self.slow = self.lost_hints = self.lost_told = 0.0

    def calm(self) -> None:
        """No fault strikes any more."""
        self.cut.clear()
        self.down = 0
        self.lost_before = self.lost_after = self.slow = self.lost_hints = self.lost_told = 0.0

    def reaches(self, process: str) -> bool:
        """Whether there is a way between this process and the server."""
        return not self.down and process not in self.cut

    def fate(self, process: str, label: str) -> str:
        """What becomes of one request. Clients, who ask again with the same ids, are struck more often."""
        if label == "complete_tasks" and self.world.random.random() < self.lost_told:
            return "lost_after"
        draw = self.world.random.random() / (8.0 if process == "client" else 1.0)
        for name in ("lost_before", "lost_after", "slow"):
            draw -= getattr(self, name)
            if draw < 0:
                return name
        return "fine"

    def latency(self) -> float:
        """Seconds from one side to the other."""
        return 0.0002 + 0.003 * self.world.random.random() ** 3


class Line:
    """One connection of one process; a new session begins where the old one was lost."""

    def __init__(self, server: Server, network: Network, loop: ProcessLoop) -> None:
        self.server, self._network, self._loop = server, network, loop
        self._session: Session | None = None
        self._waiting: asyncio.Future[Any] | None = None

    @property
    def open(self) -> bool:
        """Whether there is a session, as far as this side knows."""
        return self._session is not None

    async def connect(self) -> None:
        """A round trip, then there is a session."""
        self.drop()
        session = Session(self._loop.name)
        await self._exchange(session, lambda _session, reply: reply(None))
        self._session = session

    async def ask(self, act: Act, label: str = "") -> Any:
        """Have the server do this in this session. Raises ConnectionResetError when it is not known whether it did."""
        if self._session is None:
            await self.connect()
        assert self._session is not None
        return await self._exchange(self._session, act, label)

    def drop(self) -> None:
        """Close the socket; the server hears of it unless the way is cut."""
        session, self._session = self._session, None
        if session is not None and self._network.reaches(self._loop.name):
            self._network.world.after(self._network.latency(), lambda: self.server.end(session))
        if self._waiting is not None:
            _settle(self._waiting, ConnectionResetError("the connection was closed here"))

    def vanish(self) -> None:
        """The process is no more; the kernel closes its sockets."""
        if self._session is not None:
            self.server.end(self._session)

    async def _exchange(self, session: Session, act: Act, label: str = "") -> Any:
        world, network, fate = self._network.world, self._network, self._network.fate(self._loop.name, label)
        answer = self._loop.create_future()
        self._waiting = answer
        overdue = self._loop.call_later(DEADLINE, self._overdue, answer)
        delay = network.latency() + (world.random.uniform(0.5, 12.0) if fate == "slow" else 0.0)

        def reply(value: Any) -> None:
            if fate == "lost_after":
                self.server.end(session)
                value = ConnectionResetError("the connection was lost on the way back")
            world.after(network.latency(), lambda: self._deliver(answer, value))

        def arrive() -> None:
            if not network.reaches(self._loop.name):
                return
            if fate == "lost_before":
                self.server.end(session)
            if session.alive:
                act(session, reply)
            else:
                reply(asyncpg.ConnectionDoesNotExistError("the connection is closed"))

        world.after(delay, arrive)
        try:
            return await answer
        finally:
            overdue.cancel()
            self._waiting = None

    def _deliver(self, answer: asyncio.Future[Any], value: Any) -> None:
        if self._network.reaches(self._loop.name):
            self._loop.call_soon(_settle, answer, value)

    def _overdue(self, answer: asyncio.Future[Any]) -> None:
        _settle(answer, ConnectionResetError("no answer before the deadline"))
        self.drop()


def _settle(answer: asyncio.Future[Any], value: Any) -> None:
    if answer.done():
        return
    if isinstance(value, BaseException):
        answer.set_exception(value)
    else:
        answer.set_result(value)
