"""Rows are locked in the order of their keys: no two transactions wait for each other."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from orquestrax.core.store.batch import BatchWriter
from orquestrax.core.store.columns import array
from orquestrax.core.store.deaths import declare_dead
from orquestrax.core.store.statements import statement
from orquestrax.model.rows import Verdict
from tests.store.support import Rig, Told, blocked_backend, new_instance

ROUNDS = 60


async def crosswise(rig: Rig, sql: str, keys: list[UUID], rounds: int = ROUNDS) -> None:
    """Two connections lock the same rows at the same time, one of them told the keys the other way round."""
    first, second = await rig.connect(), await rig.connect()

    async def lock(connection: asyncpg.Connection, chosen: list[UUID]) -> None:
        for _ in range(rounds):
            async with connection.transaction():
                await connection.execute("set local deadlock_timeout = '10ms'")
                await connection.fetch(sql, array(chosen))

    await asyncio.gather(lock(first, keys), lock(second, keys[::-1]))


async def test_rows_locked_in_the_order_of_a_batch_deadlock(rig: Rig):
    """The mutant: the batch's own order, which two nodes do not share."""
    keys = await rig.crowd(200)
    unordered = rig.text(
        "select i.key from unnest($1::text::uuid[]) with ordinality as a (key, place)"
        " cross join lateral (select key from {schema}.instances where key = a.key for no key update) as i"
    )
    with pytest.raises(asyncpg.DeadlockDetectedError):
        await crosswise(rig, unordered, keys, rounds=20 * ROUNDS)


async def test_lock_instances_never_deadlocks(rig: Rig):
    keys = await rig.crowd(200)
    await crosswise(rig, statement(rig.address.schema, "lock_instances"), keys)


async def test_batches_messages_and_declarations_never_deadlock(rig: Rig, told: Told):
    """Everything that locks many rows, against everything else."""
    fences = [await rig.node(name=f"n{n}") for n in range(2)]
    keys = {fence.number: await rig.crowd(60, fence) for fence in fences}
    shared = [key for pair in zip(*keys.values(), strict=True) for key in pair]

    async def write(fence: Any, seq: int) -> list[Verdict]:
        writer = BatchWriter(await rig.connect(), fence, rig.address.schema)
        batch = [
            told.park(key, read_mail=-1) for key in reversed(keys[fence.number])
        ]  # meet mail: the rows stay
        verdicts: list[Verdict] = []
        for _ in range(seq):
            verdicts += await writer.write(batch)
        return verdicts

    async def send(chosen: list[UUID]) -> None:
        for _ in range(20):
            await rig.send(*chosen)

    written = await asyncio.gather(*(write(fence, 20) for fence in fences), send(shared), send(shared[::-1]))
    assert {verdict for verdicts in written[:2] for verdict in verdicts} == {Verdict.COMMITTED}
    space = await rig.database.lock_space()
    declared, *_ = await asyncio.gather(
        declare_dead(rig.address, space, fences[0].number, None), send(shared), send(shared[::-1])
    )
    assert declared


@pytest.mark.parametrize(
    "name", ["free_instances", "release_instances", "wake_blocked", "lock_instances", "send_messages"]
)
async def test_many_rows_are_locked_in_the_order_of_their_keys(rig: Rig, name: str):
    """Whatever the plan: behind a lock on the lowest key, no higher one is locked yet."""
    fence = await rig.node()
    starts = [new_instance() for _ in range(20)]
    for start in reversed(starts):  # so that neither the heap nor the index has them in the order of keys
        assert await rig.client.start(start)
    keys = sorted(start.key for start in starts)
    await rig.rows(
        "update {schema}.instances set owner = $1, status = $2, blocked_by = 'a'",
        None if name == "wake_blocked" else fence.number,
        "blocked" if name == "wake_blocked" else "running",
    )
    holder, locking, probe = [await rig.connect() for _ in range(3)]
    await locking.execute("set enable_indexscan = off; set enable_bitmapscan = off")
    held = holder.transaction()
    await held.start()
    await holder.fetch(rig.text("select 1 from {schema}.instances where key = $1 for update"), keys[0])
    text = statement(rig.address.schema, name)
    waiting = asyncio.create_task(locking.fetch(text, *arguments(name, fence.number, keys)))
    await blocked_backend(rig, locking)
    async with probe.transaction():
        higher = rig.text("select 1 from {schema}.instances where key = any($1) for update nowait")
        await probe.fetch(higher, keys[1:])
    await held.rollback()
    await waiting


def arguments(name: str, fence: int, keys: list[UUID]) -> tuple[Any, ...]:
    """What the statement takes to touch all of the rows, in the wrong order where it takes them in order."""
    if name == "wake_blocked":
        return "d", "b"
    if name == "free_instances":
        return fence, True
    if name == "lock_instances":
        return (array(keys[::-1]),)
    if name == "send_messages":
        n = len(keys)
        return keys[::-1], ["signal"] * n, ["n"] * n, [str(key) for key in keys], ["1"] * n
    return (fence,)
