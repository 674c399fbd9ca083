"""Claims of queued steps: each has one worker at a time."""

from __future__ import annotations

import asyncio
from uuid import UUID

from orquestrax.core.store.statements import statement
from orquestrax.core.store.taskverbs import TaskStore
from tests.store.support import Rig, blocked_backend

TASKS = 200


async def queued(rig: Rig, tasks: int) -> list[UUID]:
    """Steps that wait, of an instance each."""
    keys = await rig.crowd(tasks)
    await rig.rows("update {schema}.instances set wake_at = null")
    await rig.rows(
        "insert into {schema}.tasks (instance, command, step, queue, available_at, attempt, asked_at, once, input,"
        " options) select key, 1, 's', 'default', {schema}.now(), 1, {schema}.now(), false, '[]', '{}'"
        " from unnest($1::uuid[]) as new (key)",
        keys,
    )
    return keys


async def test_I16_eight_concurrent_workers_each_step_is_claimed_once(rig: Rig) -> None:
    keys = await queued(rig, TASKS)
    stores = [TaskStore(rig.database, await rig.node(name=f"n{n}")) for n in range(8)]

    async def claim_all(store: TaskStore) -> list[UUID]:
        taken: list[UUID] = []
        while claimed := await store.claim({"async": 7}, ["s"], None, {}):
            taken += [task.instance for task in claimed]
        return taken

    parts = await asyncio.gather(*map(claim_all, stores))
    assert sorted(key for part in parts for key in part) == sorted(keys), "each exactly once"
    assert sum(bool(part) for part in parts) > 1, "nobody waited for another's locks"
    for store, part in zip(stores, parts, strict=True):
        assert {key.instance for key in await store.held()} == set(part)
        store.close()


async def test_I16_without_its_locks_two_claims_take_one_step(rig: Rig) -> None:
    """The mutant, whose update finds what another claim has taken since it looked."""
    (key,) = await queued(rig, 1)
    first, second = await rig.node(), await rig.node()
    sound = statement(rig.address.schema, "claim_tasks")
    mutant = sound.replace("for no key update skip locked", "")
    assert mutant != sound
    asked = (["async"], [9], ["s"], None, [], [], [])
    holder, waiter = await rig.connect(), await rig.connect()
    for text, taken in ((mutant, [key]), (sound, [])):
        await rig.rows("update {schema}.tasks set worker = null")
        async with holder.transaction():
            assert len(await holder.fetch(text, first.number, *asked)) == 1
            claiming = asyncio.create_task(waiter.fetch(text, second.number, *asked))
            if taken:
                await blocked_backend(rig, waiter)
            else:
                await claiming
        assert [row["instance"] for row in await claiming] == taken
