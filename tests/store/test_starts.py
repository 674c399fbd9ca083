"""Starts: one instance per id, whoever asks and however often; what was acknowledged is there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

import orquestrax as ox
from orquestrax.base.errors import Conflict, DatabaseUnreachable
from orquestrax.client.client import Client
from orquestrax.client.starts import MOST_BYTES, Starts
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.core.store.database import Database
from orquestrax.core.store.hints import Hints
from orquestrax.model.rows import NewInstance, Verdict
from orquestrax.node import EngineOptions
from tests.store.proxy import Proxy, at_commit, at_execution
from tests.store.support import Rig, Told, new_instance, running


@ox.workflow
async def echo(word: str) -> str:
    return word


@ox.workflow
async def shout(word: str) -> str:
    return word.upper()


def client_of(rig: Rig) -> Client:
    return Client(rig.client, Hints(rig.address))


async def test_I2_fifty_concurrent_starts_of_one_id_give_one_instance(rig: Rig):
    client = client_of(rig)
    runs = await asyncio.gather(*(client.start(echo, "a", id="one") for _ in range(50)))
    assert len({run.key for run in runs}) == 1
    assert await rig.value("select count(*) from {schema}.instances") == 1


async def test_I2_another_input_or_definition_is_a_conflict(rig: Rig):
    client = client_of(rig)

    async def start(workflow: Any, word: str) -> Any:
        try:
            return (await client.start(workflow, word, id="one")).key
        except Conflict as error:
            return error

    answers = await asyncio.gather(*(start(w, i) for w in (echo, shout) for i in "ab" for _ in range(10)))
    view = await client.view("one")
    winners = [answer for answer in answers if answer == view.key]
    conflicts = [str(answer) for answer in answers if isinstance(answer, Conflict)]
    assert (len(winners), len(conflicts)) == (10, 30)
    assert sum("another input" in text for text in conflicts) == 10
    assert sum("belongs to an instance of" in text for text in conflicts) == 30


async def test_I2_local_first_starts_and_pending_ones_share_the_id(rig: Rig, tmp_path: Path):
    """Two nodes and a client at once; whoever comes first, the others find it."""
    options = EngineOptions(poll=0.1)
    one, two = (running(rig, tmp_path, echo, options=options) for _ in range(2))
    async with one as (_, here), two as (_, there):
        clients = [here, there, client_of(rig)]
        ids = [f"i-{n}" for n in range(20)]
        runs = await asyncio.gather(*(c.start(echo, "a", id=i) for i in ids for c in clients))
        assert {await run.result(20) for run in runs} == {"a"}
        assert len({run.key for run in runs}) == len(ids)
    assert await rig.value("select count(*) from {schema}.instances") == len(ids)
    terminal = await rig.value("select count(*) from {schema}.events where type = 'completed'")
    assert terminal == len(ids)


async def test_I2_an_insert_without_the_conflict_rule_makes_two(rig: Rig):
    """The mutant: look first, insert then, without the unique index."""
    await rig.rows("drop index {schema}.instances_id")
    mutant = rig.text(
        "insert into {schema}.instances (key, id, definition, status, digest, input)"
        " select gen_random_uuid(), 'one', 'd', 'pending', '', 'null'"
        " where not exists (select from {schema}.instances where id = 'one')"
    )
    first, second = await rig.connect(), await rig.connect()
    async with first.transaction():
        await first.execute(mutant)
        await second.execute(mutant)
    assert await rig.value("select count(*) from {schema}.instances where id = 'one'") == 2


class Counted(ClientStore):
    """A store that notes how many starts each of its statements has."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.sizes: list[int] = []

    async def start_all(self, starts: Sequence[NewInstance]) -> set[UUID]:
        self.sizes.append(len(starts))
        return await super().start_all(starts)


async def test_starts_that_come_together_share_statements_and_are_due_in_their_order(rig: Rig):
    store = Counted(rig.database)
    starts, new = Starts(store), [new_instance(f"{n * 7 % 300:03}") for n in range(300)]
    assert await asyncio.gather(*(starts.store(one) for one in new)) == [True] * 300
    assert store.sizes == [200, 100]
    due = await rig.rows("select id from {schema}.instances order by wake_at")
    assert [row["id"] for row in due] == [one.id for one in new]
    again = [new_instance(one.id) for one in new[:3]] + [new_instance("new"), new_instance("new")]
    assert await asyncio.gather(*(starts.store(one) for one in again)) == [False] * 3 + [True, False]


async def test_large_starts_are_not_put_into_one_statement(rig: Rig):
    store = Counted(rig.database)
    starts, large = Starts(store), b'"' + b"x" * (MOST_BYTES // 2) + b'"'
    new = [new_instance(input_=large) for _ in range(3)]
    assert await asyncio.gather(*(starts.store(one) for one in new)) == [True] * 3
    assert store.sizes == [1, 1, 1]


async def test_a_start_that_the_database_refuses_does_not_harm_those_beside_it(rig: Rig):
    starts = Starts(rig.client)
    new = [new_instance("a"), new_instance("b", priority=9), new_instance("c")]
    told = await asyncio.gather(*(starts.store(one) for one in new), return_exceptions=True)
    assert (told[0], type(told[1]), told[2]) == (True, asyncpg.CheckViolationError, True)
    rows = await rig.rows("select id from {schema}.instances order by id")
    assert [row["id"] for row in rows] == ["a", "c"]


async def test_I2_clients_that_start_the_same_ids_in_any_order_do_not_deadlock(rig: Rig):
    for n in range(10):
        ids = [f"{n}-{i:03}" for i in range(200)]
        new = [new_instance(id_) for id_ in ids], [new_instance(id_) for id_ in reversed(ids)]
        stored = await asyncio.gather(*(rig.client.start_all(each) for each in new))
        assert sum(map(len, stored)) == len(ids)


@pytest.mark.parametrize("how", ["before", "after", "swallow"])
async def test_I1_I2_a_start_of_unknown_outcome_can_be_sent_again(rig: Rig, proxy: Proxy, how: Any):
    database = Database(proxy.address)
    await database.open()
    store, new = ClientStore(database), new_instance("one")
    try:
        assert await store.start(new_instance("before"))  # the driver has learnt the types by now
        if how == "swallow":
            database.address = replace(proxy.address, deadline=0.3)
        fault = proxy.fault(at_execution(how))
        with pytest.raises(DatabaseUnreachable):
            await store.start(new)
        assert fault.struck.is_set()
        assert (await rig.client.by_id("one") is not None) == (how == "after")
        assert await store.start(new) == (how != "after")
        assert await store.start(new) is False
    finally:
        await database.close()
    assert await rig.value("select count(*) from {schema}.instances where id = 'one'") == 1
    assert proxy.cancels == 0


@pytest.mark.parametrize("how", ["before", "after"])
async def test_I1_I5_a_local_start_of_unknown_outcome_is_resolved(
    rig: Rig, told: Told, proxy: Proxy, how: Any
):
    """Its event is written once, and it is acknowledged only when it is there."""
    fence = await rig.node()
    journal = await rig.journal(fence, address=proxy.address)
    fault = proxy.fault(at_commit(how))
    new = new_instance("one")
    write = told.write(new.key, start=new, started_at=1_000_000)
    bystander = told.write(await rig.owned(fence), 1)
    for one in (write, bystander):
        journal.submit(one)
    assert await told.all([write, bystander]) == [Verdict.COMMITTED] * 2
    assert fault.struck.is_set()
    row = await rig.row(new.key)
    assert (row["status"], row["owner"]) == ("running", fence.number)
    assert await rig.seqs(bystander.key) == [1]


async def test_I2_a_local_start_whose_id_is_taken_writes_nothing(rig: Rig, told: Told):
    fence = await rig.node()
    await rig.pending("one")
    journal = await rig.journal(fence)
    new, twin = new_instance("one"), new_instance("two")
    taken = told.write(new.key, 1, start=new)
    first = told.write(twin.key, 1, start=twin)
    again = new_instance("two")
    second = told.write(again.key, 1, start=again)
    for write in (taken, first, second):
        journal.submit(write)
    assert await told.all([taken, first, second]) == [Verdict.TAKEN, Verdict.COMMITTED, Verdict.TAKEN]
    assert await rig.seqs(new.key) == await rig.seqs(again.key) == []
    assert await rig.seqs(twin.key) == [1]
