"""Claims of queued steps: each has one worker at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

from orquestrax.core.store.deaths import declare_dead
from orquestrax.core.store.nodeverbs import NodeStore
from orquestrax.core.store.statements import statement
from orquestrax.core.store.taskverbs import TaskStore
from orquestrax.model.jobs import BodyKey
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


async def test_who_takes_the_steps_of_a_dead_worker_is_said_once(rig: Rig) -> None:
    """And of one that only stopped nothing was taken over."""
    await queued(rig, 3)
    dead, alive, stopped = [await rig.node(name=name) for name in ("dead", "alive", "stopped")]
    first, next_, last = (TaskStore(rig.database, node) for node in (dead, alive, stopped))
    taken = await first.claim({"async": 2}, ["s"], None, {})
    assert [task.lost_worker for task in taken] == [None, None]
    await declare_dead(rig.address, dead.space, dead.number, None)
    taken = await next_.claim({"async": 3}, ["s"], None, {})
    assert Counter(task.lost_worker for task in taken) == {dead.number: 2, None: 1}
    await next_.took_over({dead.number: 2})
    await next_.took_over({dead.number: 1})
    await next_.give_back({BodyKey(task.instance, task.command): task.started_at for task in taken})
    assert {task.lost_worker for task in await last.claim({"async": 3}, ["s"], None, {})} == {None}
    leaving = NodeStore(rig.database, stopped)
    await leaving.release()
    assert {task.lost_worker for task in await next_.claim({"async": 3}, ["s"], None, {})} == {None}
    (takeover,) = await rig.client.takeovers([dead.number, stopped.number])
    assert (takeover.dead, takeover.node, takeover.instances, takeover.steps) == (
        dead.number,
        alive.number,
        0,
        3,
    )
    for store in (first, next_, last, leaving):
        store.close()


async def test_what_is_given_back_of_a_paused_instance_waits_for_its_resume(rig: Rig) -> None:
    (key,) = await queued(rig, 1)
    worker, other = await rig.node(), await rig.node()
    first, next_ = TaskStore(rig.database, worker), TaskStore(rig.database, other)
    (task,) = await first.claim({"async": 1}, ["s"], None, {})
    await rig.rows("update {schema}.instances set status = 'paused' where key = $1", key)
    await first.give_back({BodyKey(task.instance, task.command): task.started_at})
    assert await next_.claim({"async": 1}, ["s"], None, {}) == []
    for store in (first, next_):
        store.close()


async def test_I8_I16_what_was_taken_once_more_is_not_given_back_by_who_is_late(rig: Rig) -> None:
    """Its first claim was not heard of, nor was what gave that back: it is still on its way as the next one begins."""
    await queued(rig, 1)
    store = TaskStore(rig.database, await rig.node())
    (first,) = await store.claim({"async": 1}, ["s"], None, {})
    ((key, (_, taken_at)),) = (await store.held()).items()
    assert taken_at == first.started_at
    await store.give_back({key: taken_at})
    (again,) = await store.claim({"async": 1}, ["s"], None, {})
    assert again.started_at != taken_at
    await store.give_back({key: taken_at})
    assert await store.held() == {key: (1, again.started_at)}
    store.close()
