"""Four writers and a declarer under stress: no write of a node is in the database after its declaration.

Each writer is a chain of incarnations that write one event after another to an instance of theirs, without
looking up; the declarer declares them dead in turn. What a declaration has seen of a history is all that its
incarnation has ever written.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import asyncpg
import pytest

from orquestrax.base.errors import Fenced
from orquestrax.base.ids import uuid7
from orquestrax.core.store.columns import array
from orquestrax.core.store.database import connect
from orquestrax.core.store.deaths import declare_dead
from orquestrax.core.store.fence import Fence, commit
from orquestrax.core.store.statements import statement
from tests.store.support import NODE, Rig

WRITERS = 4
Opening = Callable[[Fence, asyncpg.Connection], object]


class Stress:
    """The writers, the declarer, and what they did."""

    def __init__(self, rig: Rig, seed: int, pause: float = 0.002) -> None:
        self.rig, self.random, self.pause = rig, random.Random(seed), pause
        self.alive: dict[int, int] = {}
        self.seen: dict[int, int] = {}
        self.written = self.refused = 0
        self.stopping = False

    async def run(self, declarations: int, begin: Opening) -> list[int]:
        """Return the fences whose history grew after they had been declared dead."""
        writers = [asyncio.create_task(self.write(n, begin)) for n in range(WRITERS)]
        declarer = await self.rig.connect()
        space = await self.rig.database.lock_space()
        while len(self.seen) < declarations:
            await asyncio.sleep(self.random.random() * 0.004)
            if self.alive:
                slot = self.random.choice(sorted(self.alive))
                fence = self.alive.pop(slot)
                assert await declare_dead(self.rig.address, space, fence, None)
                self.seen[fence] = await self.count(declarer, fence)
        self.stopping = True
        await asyncio.gather(*writers)
        return [fence for fence, seen in self.seen.items() if await self.count(declarer, fence) != seen]

    async def count(self, connection: asyncpg.Connection, fence: int) -> int:
        """How many events this incarnation has written."""
        text = "select count(*) from {schema}.events where issued = $1"
        counted: int = await connection.fetchval(self.rig.text(text), fence)
        return counted

    async def write(self, slot: int, begin: Opening) -> None:
        """One incarnation after another, each until it is refused."""
        connection = await connect(self.rig.address)
        insert = statement(self.rig.address.schema, "insert_events")
        register = statement(self.rig.address.schema, "register_node")
        try:
            while not self.stopping:
                number = await connection.fetchval(register, *NODE.values())
                fence = Fence(await self.rig.database.lock_space(), number)
                key = uuid7()  # the stream of events is all that matters
                self.alive[slot] = number
                await self.incarnation(connection, fence, begin, insert, key)
                self.alive.pop(slot, None)
        finally:
            connection.terminate()

    async def incarnation(self, connection, fence, begin, insert, key) -> None:
        for seq in range(1, 1_000_000):
            await begin(fence, connection)
            rows = array([key]), array([seq]), "{t}", "{1}", array([fence.number]), "{1}", "{}"
            tag = await connection.execute(insert, fence.number, *rows)
            await asyncio.sleep(self.random.random() * self.pause)
            await commit(connection)
            if tag != "INSERT 0 1":
                self.refused += 1
                return
            self.written += 1
            if self.stopping:
                return


async def unlocked(_fence: Fence, connection: asyncpg.Connection) -> None:
    """The mutant: every statement checks, nothing is locked."""
    await connection.execute("begin")


async def locked(fence: Fence, connection: asyncpg.Connection) -> None:
    await fence.begin(connection)


async def test_I4_four_writers_without_the_lock_are_caught(rig: Rig):
    """A declaration must fit between a statement and its COMMIT, which takes longer on a busy machine."""
    for doubled in range(7):
        if await Stress(rig, 1, pause=0.002 * 2**doubled).run(60, unlocked):
            return
    pytest.fail("no write was late")


@pytest.mark.verify
async def test_I4_I15_four_writers_and_a_declarer_never_write_late(rig: Rig):
    stress = Stress(rig, 2)
    assert await stress.run(200, locked) == []
    assert stress.written > 200
    assert stress.refused >= 190, "each was stopped by its declaration"


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2))
async def test_I4_thousands_of_declarations_and_no_late_write(rig: Rig, seed: int):
    stress = Stress(rig, seed)
    assert await stress.run(1500, locked) == []
    assert stress.refused >= 1490


async def test_I4_a_whole_journal_and_a_declarer(rig: Rig, told):
    """The same with the real journal, which says itself that it was fenced."""
    space, key = await rig.database.lock_space(), None
    for _ in range(12):
        fence = await rig.node()
        keys = await rig.crowd(8, fence)
        journal = await rig.journal(fence)
        for seq in range(1, 40):
            for key in keys:
                journal.submit(told.write(key, seq))
        await asyncio.sleep(0.005)
        assert await declare_dead(rig.address, space, fence.number, None)
        seen = [len(await rig.seqs(key)) for key in keys]
        await asyncio.wait_for(journal.fenced.wait() if journal.backlog else asyncio.sleep(0), 20)
        assert [len(await rig.seqs(key)) for key in keys] == seen
        assert (await rig.row(key))["owner"] is None
        journal.abandon()


async def test_Fenced_is_told_apart_from_a_fault():
    assert not issubclass(Fenced, asyncpg.PostgresError)
