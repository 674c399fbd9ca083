"""Hints: "look", never what. They make the engine quick; the polls make it right.

One listening connection per process; channels carry the schema's name. What is sent is coalesced and goes out at once,
then every few milliseconds at most, off the commit path: a NOTIFY in every commit costs a factor of two to three.

    <schema>.work          something became due
    <schema>.orders        there are orders to instances that nobody owns
    <schema>.tasks         steps wait in the cluster's queues
    <schema>.gone          steps in the cluster's queues are not waited for any more
    <schema>.node.<fence>  there is mail for that node
    <schema>.view          the payload lists keys of instances that changed ("*": too many to list)
    <schema>.ended         the same, of those that have ended: who waits for a result need not look at every change
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final
from uuid import UUID

import asyncpg

from orquestrax.base.errors import OrquestraxError
from orquestrax.core.store.database import CONNECTION_LOST, Address, connect, within

log = logging.getLogger(__name__)
SPACING: Final = 0.005  # seconds between two sendings at least; what comes meanwhile is gathered
MOST_KEYS: Final = 200  # in one hint: a payload has at most 8,000 bytes
RECONNECT: Final = 0.5
# A NOTIFY has a commit of its own. It says "look" at what is committed already, so it need not wait for the disk,
# nor make others wait that commit at the same time.
UNSYNCED: Final = {"synchronous_commit": "off"}

Listener = Callable[[str], None]


class Hints:
    """Sends and receives hints over one connection; re-subscribes after every reconnect and then calls everybody."""

    def __init__(self, address: Address) -> None:
        self._address, self._listening = address, address.listening
        self._listeners: dict[str, list[Listener]] = {}
        self._channels: set[str] = set()
        self._keys: dict[str, set[UUID]] = {"view": set(), "ended": set()}
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._sent_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None
        self.connected = False

    def channel(self, name: str) -> str:
        """The full name of a channel of this schema."""
        return f"{self._address.schema}.{name}"

    def listen(self, name: str, listener: Listener) -> Callable[[], None]:
        """Call `listener(payload)` from plain callbacks; returns what ends that."""
        listeners = self._listeners.setdefault(self.channel(name), [])
        listeners.append(listener)
        self._changed.set()
        self._wake.set()
        return lambda: listeners.remove(listener)

    def work(self) -> None:
        """Something became due."""
        self._hint(self.channel("work"))

    def orders(self) -> None:
        """There are orders that whoever sees them may carry out."""
        self._hint(self.channel("orders"))

    def tasks(self) -> None:
        """There are steps to take."""
        self._channels.add(self.channel("tasks"))
        self._wake.set()

    def gone(self) -> None:
        """There are steps to give up."""
        self._channels.add(self.channel("gone"))
        self._wake.set()

    def node(self, fence: int) -> None:
        """There is mail for this node."""
        self._hint(self.channel(f"node.{fence}"))

    def view(self, key: UUID) -> None:
        """An instance changed."""
        self._changed_instance("view", key)

    def ended(self, key: UUID) -> None:
        """An instance has ended."""
        self._changed_instance("view", key)
        self._changed_instance("ended", key)

    def _changed_instance(self, kind: str, key: UUID) -> None:
        if self._listening is not None:
            keys = self._keys[kind]
            if not keys:
                self._wake.set()
            keys.add(key)

    def _hint(self, channel: str) -> None:
        if self._listening is not None:
            self._channels.add(channel)
            self._wake.set()

    def start(self) -> None:
        """Begin to listen and send, unless hints are off."""
        if self._listening is None:
            log.info("hints are off: everybody looks once in a poll")
            return
        self._task = asyncio.create_task(self._run(), name="hints")

    async def stop(self) -> None:
        """Send what is gathered, then let go."""
        if self._task is None:
            return
        if self._connection is not None and not self._connection.is_closed():
            try:
                await self._send(self._connection)
            except CONNECTION_LOST as error:
                log.debug("the last hints were not sent: %s", error)
        self.abandon()

    def abandon(self) -> None:
        """Cut everything at once."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                assert self._listening is not None
                self._connection = await connect(self._listening, name="orquestrax hints", settings=UNSYNCED)
                await self._serve(self._connection)
            except (OrquestraxError, *CONNECTION_LOST, asyncpg.PostgresError) as error:
                self.connected = False
                log.warning("hints are off, polls go on: %s", error)
                await asyncio.sleep(RECONNECT)

    async def _serve(self, connection: asyncpg.Connection) -> None:
        connection.add_termination_listener(lambda _connection: self._wake.set())
        subscribed, loop = set[str](), asyncio.get_running_loop()
        self._changed.set()
        while not connection.is_closed():
            if self._changed.is_set():
                self._changed.clear()
                await self._subscribe(connection, subscribed)
            await self._send(connection)
            if (pause := self._sent_at + SPACING - loop.time()) > 0:
                await asyncio.sleep(pause)
            await self._wake.wait()
            self._wake.clear()
        raise ConnectionResetError("the connection was closed")

    async def _subscribe(self, connection: asyncpg.Connection, subscribed: set[str]) -> None:
        """Listen on what is new here; whoever waits is called, because hints may have been lost before."""
        for channel in [name for name in self._listeners if name not in subscribed]:
            await within(connection, connection.add_listener(channel, self._received), self._address.deadline)
            subscribed.add(channel)
            self._tell(channel, "*")
        if not self.connected:
            log.info("hints are on: %s", ", ".join(sorted(subscribed)) or "nobody listens yet")
        self.connected = True

    async def _send(self, connection: asyncpg.Connection) -> None:
        messages = [(channel, "") for channel in self._channels] + self._key_messages()
        self._channels = set()
        if messages:
            self._sent_at = asyncio.get_running_loop().time()
            channels, payloads = zip(*messages, strict=True)
            sending = connection.execute(
                "select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as hint (channel, payload)",
                channels,
                payloads,
            )
            await within(connection, sending, self._address.deadline)

    def _key_messages(self) -> list[tuple[str, str]]:
        messages = list[tuple[str, str]]()
        for kind, keys in self._keys.items():
            if keys:
                payload = "*" if len(keys) > MOST_KEYS else " ".join(map(str, keys))
                messages.append((self.channel(kind), payload))
                keys.clear()
        return messages

    def _received(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        self._tell(channel, payload)

    def _tell(self, channel: str, payload: str) -> None:
        for listener in list(self._listeners.get(channel, ())):
            listener(payload)
