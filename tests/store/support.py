"""What the tests of the store share: a schema with nodes in it, connections, rows and writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import asyncpg

from orquestrax.base.ids import uuid7
from orquestrax.core.journal import Journal
from orquestrax.core.store.clientverbs import ClientStore, Order
from orquestrax.core.store.database import Address, Database, connect
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.journalverbs import JournalStore
from orquestrax.core.store.nodeverbs import NodeStore, register_node
from orquestrax.core.store.statements import quoted_schema
from orquestrax.model.events import Event
from orquestrax.model.rows import NewInstance, RowChange, Verdict, Write
from orquestrax.node import EngineOptions, Node
from orquestrax.settings import Settings

NODE = {
    "name": "node", "host": "host", "boot_id": "boot", "home_id": "home", "pid": 1, "roles": ["engine"],
    "queues": ["*"], "definitions": ["d"], "slots": "{}", "release": "test",
    "lease": 10.0, "python": "3", "code": "{}",
}  # fmt: skip


class Rig:
    """One schema and everything that a test opens in it; all of it is closed at the end of the test."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._stack = AsyncExitStack()
        self.database = Database(address, size=60)
        self.client = ClientStore(self.database)

    async def __aenter__(self) -> Self:
        await self.database.open()
        self._stack.push_async_callback(self.database.close)
        self._plain = await self.connect()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def connect(self, address: Address | None = None) -> asyncpg.Connection:
        """One more connection."""
        connection = await connect(address or self.address, name="a test")
        self._stack.callback(connection.terminate)
        return connection

    def text(self, sql: str) -> str:
        """A statement with the schema filled in, as the files in sql/ are written."""
        return sql.replace("{schema}", quoted_schema(self.address.schema))

    async def rows(self, sql: str, *arguments: Any) -> list[Any]:
        """Run a statement on a connection that only this method uses."""
        return list(await self._plain.fetch(self.text(sql), *arguments))

    async def value(self, sql: str, *arguments: Any) -> Any:
        """The first value of a statement's result."""
        return await self._plain.fetchval(self.text(sql), *arguments)

    async def node(self, address: Address | None = None, **columns: Any) -> Fence:
        """Register a node; `columns` replace those of its row."""
        number, _ = await register_node(self.database, **{**NODE, **columns})
        return Fence(await self.database.lock_space(), number)

    async def store(self, fence: Fence | None = None, address: Address | None = None) -> NodeStore:
        """The verbs of a node."""
        database = self.database
        if address is not None:
            database = Database(address)
            await database.open()
            self._stack.push_async_callback(database.close)
        store = NodeStore(database, fence or await self.node())
        self._stack.callback(store.close)
        return store

    async def journal(self, fence: Fence, *, lanes: int = 1, address: Address | None = None) -> Journal:
        """A journal that runs; `fenced` is set when it finds its node declared dead."""
        fenced = asyncio.Event()
        there = address or self.address
        stores = [JournalStore(there, fence, f"journal {n}") for n in range(lanes)]
        journal = Journal(stores, on_fenced=fenced.set)
        journal.fenced = fenced  # type: ignore[attr-defined]
        await journal.start()
        self._stack.callback(journal.abandon)
        return journal

    async def hints(self) -> Hints:
        """Hints that run."""
        hints = Hints(self.address)
        hints.start()
        self._stack.callback(hints.abandon)
        return hints

    async def pending(self, id_: str = "", **columns: Any) -> UUID:
        """A stored start."""
        new = new_instance(id_, **columns)
        assert await self.client.start(new)
        return new.key

    async def owned(self, fence: Fence, id_: str = "", status: str = "running", mail: int = 0) -> UUID:
        """An instance that a node owns."""
        key = await self.pending(id_)
        await self.rows(
            "update {schema}.instances set owner = $2, status = $3, mail = $4, wake_at = null,"
            " started_at = {schema}.now() where key = $1", key, fence.number, status, mail,
        )  # fmt: skip
        return key

    async def crowd(self, n: int, fence: Fence | None = None) -> list[UUID]:
        """Many instances in one statement: owned by a node, or pending; in the order of their keys."""
        keys = [uuid7() for _ in range(n)]
        await self.rows(
            "insert into {schema}.instances (key, id, definition, version, status, owner, wake_at, started_at,"
            " digest, input) select key, key::text, 'd', '1', case when $2::integer is null then 'pending' else"
            " 'running' end, $2, case when $2 is null then {schema}.now() end, case when $2 is not null then"
            " {schema}.now() end, '', '[]' from unnest($1::uuid[]) as new (key)",
            keys,
            None if fence is None else fence.number,
        )
        return keys

    async def row(self, key: UUID) -> Any:
        """The row of an instance."""
        return (await self.rows("select * from {schema}.instances where key = $1", key))[0]

    async def seqs(self, key: UUID) -> list[int]:
        """The sequence numbers of a history."""
        return [
            r["seq"]
            for r in await self.rows("select seq from {schema}.events where instance = $1 order by seq", key)
        ]

    async def send(self, *keys: UUID, kind: str = "signal", message: str = "") -> None:
        """A signal to each instance, in one statement."""
        await self.client.send([order(key, kind=kind, message=message) for key in keys])


@asynccontextmanager
async def running(
    rig: Rig, home: Path, *workflows: Any, options: EngineOptions, address: Address | None = None
) -> AsyncIterator[tuple[Node, Any]]:
    """A whole node in the rig's schema, and its client."""
    where = address or rig.address
    settings = Settings(
        database=where.dsn, namespace=where.schema, home=home, project=home, deadline=where.deadline
    )
    node = Node(settings, {w.name: w for w in workflows}, options=options, migrates=False)
    client = await node.start()
    try:
        yield node, client
    finally:
        await node.stop(grace=0.1)


def new_instance(
    id_: str = "", *, definition: str = "d", input_: bytes = b"[]", digest: bytes = b"", **more: Any
) -> NewInstance:
    """A start; its id is made up if need be."""
    key = uuid7()
    return NewInstance(
        key=key, id=id_ or str(key), definition=definition, version="1", input=input_, digest=digest, **more
    )


def order(
    key: UUID, *, kind: str = "signal", name: str = "n", message: str = "", payload: bytes | None = b"1"
) -> Order:
    """A message on its way to an instance."""
    return Order(instance=key, kind=kind, name=name, message=message or str(uuid7()), payload=payload)


def event(seq: int, type_: str = "timer_fired", data: bytes = b'{"command":1}') -> Event:
    """One event of a history."""
    return Event(seq, type_, 1_000_000 + seq, seq, seq, data)


class Told:
    """Collects the verdicts of writes, and lets a test wait for them."""

    def __init__(self) -> None:
        self.verdicts: dict[int, Verdict] = {}
        self.order: list[Write] = []
        self._changed = asyncio.Event()

    def __call__(self, write: Write, verdict: Verdict) -> None:
        assert id(write) not in self.verdicts, "a write was told twice"
        self.verdicts[id(write)] = verdict
        self.order.append(write)
        self._changed.set()

    def of(self, write: Write) -> Verdict | None:
        """The verdict, if it is there."""
        return self.verdicts.get(id(write))

    async def all(self, writes: Iterable[Write], deadline: float = 20.0) -> list[Verdict]:
        """The verdicts of these writes, once all are there."""
        writes = list(writes)
        async with asyncio.timeout(deadline):
            while not all(id(write) in self.verdicts for write in writes):
                self._changed.clear()
                await self._changed.wait()
        return [self.verdicts[id(write)] for write in writes]

    def write(
        self, key: UUID, *seqs: int, read_mail: int = 0, change: RowChange | None = None, **more: Any
    ) -> Write:
        """A write that tells its verdict here."""
        return Write(
            key=key,
            read_mail=read_mail,
            done=self,
            change=change,
            events=[event(seq) for seq in seqs],
            **more,
        )

    def park(self, key: UUID, *seqs: int, read_mail: int = 0, **more: Any) -> Write:
        """A write that gives up the row until a message comes."""
        return self.write(
            key, *seqs, read_mail=read_mail, change=RowChange(status="waiting", release=True), **more
        )

    def end(self, key: UUID, seq: int, *, read_mail: int = 0, **more: Any) -> Write:
        """A write with the terminal event."""
        change = RowChange(status="completed", release=True, ended_at=2_000_000, result=b"1")
        write = self.write(key, read_mail=read_mail, change=change, **more)
        write.events = [event(seq, "completed", b'{"node":"n"}')]
        return write

    def block(self, key: UUID, *, read_mail: int = 0) -> Write:
        """A write that parks the instance as blocked."""
        change = RowChange(status="blocked", release=True, blocked_by="digest", blocked=b"{}")
        return self.write(key, read_mail=read_mail, change=change)


async def until(
    holds: Callable[[], Awaitable[Any] | Any], deadline: float = 20.0, every: float = 0.01
) -> Any:
    """Ask until the answer is true; for what no signal tells, such as the state of another backend."""
    async with asyncio.timeout(deadline):
        while True:
            answer = holds()
            if isinstance(answer, Awaitable):
                answer = await answer
            if answer:
                return answer
            await asyncio.sleep(every)


async def somebody_waits(rig: Rig, event: str) -> None:
    """Wait until some backend of this database waits for this event, such as `transactionid`."""
    await until(
        lambda: rig.value(
            "select true from pg_stat_activity where wait_event = $1 and datname = current_database()", event
        )
    )


async def blocked_backend(rig: Rig, connection: asyncpg.Connection) -> None:
    """Wait until the connection's backend waits for a lock."""
    pid = connection.get_server_pid()
    await until(
        lambda: rig.value("select wait_event_type = 'Lock' from pg_stat_activity where pid = $1", pid)
    )
