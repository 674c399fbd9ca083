"""Waiting for the end of instances: few statements for many of them, and none is missed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from orquestrax.base.errors import DatabaseError, DatabaseUnreachable
from orquestrax.base.ids import uuid7
from orquestrax.client.endings import Endings
from orquestrax.core.store.clientverbs import ClientStore, End
from orquestrax.core.store.database import Database
from orquestrax.core.store.hints import Hints
from tests.store.support import Rig, until


class Looks(ClientStore):
    """A store that notes what it was asked for; the next `failing` questions are not answered."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.asked: list[set[UUID]] = []
        self.failing = 0

    async def ends(self, keys: Sequence[UUID]) -> list[End]:
        self.asked.append(set(keys))
        if self.failing:
            self.failing -= 1
            raise DatabaseUnreachable("nobody is there")
        return await super().ends(keys)


async def end(rig: Rig, keys: Sequence[UUID], status: str = "completed") -> None:
    await rig.rows(
        "update {schema}.instances set status = $2, result = '1', wake_at = null where key = any($1)",
        list(keys),
        status,
    )


async def waiting(endings: Endings, store: Looks, keys: Sequence[UUID]) -> list[asyncio.Task[End]]:
    """Whoever waits, once each has been looked at in vain."""
    tasks = [asyncio.create_task(endings.wait(key)) for key in keys]
    await until(lambda: set().union(*store.asked) >= set(keys))
    return tasks


async def test_a_thousand_that_are_waited_for_share_a_few_statements(rig: Rig):
    store, sender = Looks(rig.database), await rig.hints()
    endings = Endings(store, await rig.hints(), poll=600)
    keys = await rig.crowd(1_500)
    tasks = await waiting(endings, store, keys)
    await end(rig, keys)
    for key in keys:
        sender.ended(key)
    ends = await asyncio.gather(*tasks)
    assert [one.key for one in ends] == keys
    assert len(store.asked) <= 12, "two of a thousand each, twice; and what was told of the subscription"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "terminated"])
async def test_only_ends_are_looked_at(rig: Rig, status: str):
    store, sender, hints = Looks(rig.database), await rig.hints(), await rig.hints()
    endings = Endings(store, hints, poll=600)
    key = await rig.pending()
    (task,) = await waiting(endings, store, [key])
    other = list[str]()
    hints.listen("view", other.append)
    await until(lambda: other)
    sender.ended(key)
    await until(lambda: len(store.asked) >= 2)
    await until(lambda: not endings._asked)
    looks = len(store.asked)
    sender.view(key)
    await until(lambda: str(key) in other)
    assert len(store.asked) == looks, "a change is no end"
    await end(rig, [key], status)
    sender.ended(key)
    assert (await task).status == status


async def test_I21_a_lost_hint_is_made_up_for_by_the_poll_though_others_keep_coming(rig: Rig):
    store, sender = Looks(rig.database), await rig.hints()
    endings = Endings(store, await rig.hints(), poll=0.2)
    lost, busy = await rig.crowd(2)
    tasks = await waiting(endings, store, [lost, busy])
    store.asked.clear()
    sender.ended(busy)
    await until(lambda: any(busy in asked for asked in store.asked))  # subscribed by now
    await end(rig, [lost])
    while not tasks[0].done():
        sender.ended(busy)
        await asyncio.sleep(0.01)
    assert (await tasks[0]).status == "completed"
    tasks[1].cancel()


async def test_an_outage_is_waited_out_and_a_closed_client_is_not(rig: Rig):
    database = Database(rig.address)
    await database.open()
    store = Looks(database)
    store.failing = 1
    endings = Endings(store, Hints(rig.address), poll=0.1)
    key = await rig.pending()
    await end(rig, [key])
    assert (await endings.wait(key)).result == "1"
    assert len(store.asked) == 2
    task = asyncio.create_task(endings.wait(uuid7()))
    await until(lambda: len(store.asked) == 3)
    await database.close()
    with pytest.raises(DatabaseError, match="closed"):
        await task


async def test_who_waits_no_more_is_forgotten(rig: Rig):
    store = Looks(rig.database)
    endings = Endings(store, Hints(rig.address), poll=0.05)
    task, other = await waiting(endings, store, [key := await rig.pending()] * 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await end(rig, [key])
    assert (await other).status == "completed"
    await until(lambda: endings._task is None)
    assert not endings._waiting
