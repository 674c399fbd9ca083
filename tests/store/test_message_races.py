"""A park, an end and a block that meet mail: whichever of the two comes first, no message is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import asyncpg
import pytest

from orquestrax.core.store.statements import statement
from orquestrax.model.rows import Verdict, Write
from tests.store.proxy import Proxy, at_commit
from tests.store.support import Rig, Told, blocked_backend, order, until

MAKERS: dict[str, Callable[[Told, UUID, int], Write]] = {
    "park": lambda told, key, mail: told.park(key, 1, read_mail=mail),
    "end": lambda told, key, mail: told.end(key, 1, read_mail=mail),
    "block": lambda told, key, mail: told.block(key, read_mail=mail),
}


async def parked_by_inbox(rig: Rig, connection: asyncpg.Connection, key: UUID) -> str:
    """The mutant: a park that holds while the inbox is empty, asked in the statement that updates the row."""
    tag: str = await connection.execute(
        rig.text(
            "update {schema}.instances as i set owner = null, status = 'waiting' where key = $1"
            " and not exists (select from {schema}.inbox as x where x.instance = i.key)"
        ),
        key,
    )
    return tag


async def test_I10_a_park_that_tests_the_inbox_loses_a_message(rig: Rig):
    """The message is sent while the park waits for the row: its snapshot is older and sees no inbox."""
    fence = await rig.node()
    key = await rig.owned(fence)
    sender, parker = await rig.connect(), await rig.connect()
    sending = sender.transaction()
    await sending.start()
    await send_on(rig, sender, key)
    park = asyncio.create_task(parked_by_inbox(rig, parker, key))
    await blocked_backend(rig, parker)
    await sending.commit()
    assert await park == "UPDATE 1"
    row = await rig.row(key)
    assert (row["owner"], row["wake_at"]) == (None, None), "nobody will ever read the message"


@pytest.mark.parametrize("kind", MAKERS)
async def test_I10_I11_a_message_sent_just_before_holds_back_the_write(rig: Rig, told: Told, kind: str):
    fence = await rig.node()
    key = await rig.owned(fence)
    journal = await rig.journal(fence)
    sender = await rig.connect()
    sending = sender.transaction()
    await sending.start()
    await send_on(rig, sender, key)
    write = MAKERS[kind](told, key, 0)
    journal.submit(write)
    await writer_waits(rig)
    await sending.commit()
    (verdict,) = await told.all([write])
    row = await rig.row(key)
    assert row["owner"] == fence.number, "the owner keeps what has mail"
    assert len(await rig.client.inbox(key)) == 1
    if kind == "park":
        assert verdict is Verdict.COMMITTED
        assert not write.parked
        assert await rig.seqs(key) == [1], "the events of the turn are written all the same"
        assert row["status"] == "waiting"
    else:
        assert verdict is Verdict.MAIL
        assert (await rig.seqs(key), row["status"]) == ([], "running"), "nothing of it is written"


@pytest.mark.parametrize("kind", MAKERS)
async def test_I10_I11_a_message_sent_just_after_finds_the_row_as_it_was_left(
    rig: Rig, told: Told, proxy: Proxy, kind: str
):
    """The message waits for the row while the write commits."""
    fence = await rig.node()
    key = await rig.owned(fence)
    journal = await rig.journal(fence, address=proxy.address)
    commit = proxy.fault(at_commit("wait"))
    write = MAKERS[kind](told, key, 0)
    journal.submit(write)
    await commit.struck.wait()
    sender = await rig.connect()
    sent = asyncio.create_task(send_on(rig, sender, key))
    await blocked_backend(rig, sender)
    commit.released.set()
    (answer,) = await sent
    assert await told.all([write]) == [Verdict.COMMITTED]
    inbox, row = await rig.client.inbox(key), await rig.row(key)
    if kind == "end":
        assert not answer["taken"]
        assert inbox == []
        assert row["mail"] == 0
        return
    assert answer["taken"]
    assert answer["owner"] is None
    assert len(inbox) == 1
    assert (row["wake_at"] is not None) == (kind == "park"), "a park is woken, a block waits for fitting code"


@pytest.mark.parametrize("kind", ["park", "end"])
async def test_I10_I11_senders_against_a_journal_lose_nothing(rig: Rig, told: Told, kind: str):
    """Hundreds of races: every message that was taken is in the inbox of a row that is owned or due."""
    fence = await rig.node()
    keys = await rig.crowd(150, fence)
    journal = await rig.journal(fence, lanes=2)
    taken: set[UUID] = set()

    async def send(key: UUID) -> None:
        (answer,) = await rig.database.fetch("send_messages", [key], ["signal"], ["n"], [str(key)], ["1"])
        if answer["taken"]:
            taken.add(key)

    writes = [MAKERS[kind](told, key, 0) for key in keys]
    for write in writes:
        journal.submit(write)
    await asyncio.gather(*(send(key) for key in reversed(keys)))
    await told.all(writes)
    for key, write in zip(keys, writes, strict=True):
        row, inbox = await rig.row(key), await rig.client.inbox(key)
        assert (len(inbox) == 1) == (key in taken)
        if key in taken:
            assert row["owner"] == fence.number or row["wake_at"] is not None
        if kind == "end":
            assert (told.of(write) is Verdict.MAIL) == (key in taken)


async def test_I10_an_event_and_its_message_move_in_one_commit(rig: Rig, told: Told):
    fence = await rig.node()
    key = await rig.owned(fence)
    await rig.send(key, key)
    journal = await rig.journal(fence)
    write = told.write(key, 1, 2, read_mail=2, consumed=[1, 2])
    journal.submit(write)
    await told.all([write])
    assert await rig.seqs(key) == [1, 2]
    assert await rig.client.inbox(key) == []


async def test_I11_the_end_takes_the_messages_that_it_lists(rig: Rig, told: Told):
    fence = await rig.node()
    key, other = await rig.owned(fence), await rig.owned(fence)
    await rig.send(key, other)
    journal = await rig.journal(fence)
    write = told.end(key, 1, read_mail=1)
    journal.submit(write)
    assert await told.all([write]) == [Verdict.COMMITTED]
    assert await rig.client.inbox(key) == []
    assert len(await rig.client.inbox(other)) == 1


async def send_on(rig: Rig, connection: asyncpg.Connection, key: UUID) -> list[asyncpg.Record]:
    """Send one signal on a connection of one's own."""
    one = order(key)
    rows: list[asyncpg.Record] = await connection.fetch(
        statement(rig.address.schema, "send_messages"), [key], [one.kind], [one.name], [one.message], ["1"]
    )
    return rows


async def writer_waits(rig: Rig) -> None:
    """Wait until a journal's backend waits for a row."""
    await until(
        lambda: rig.value(
            "select exists (select from pg_stat_activity where wait_event_type = 'Lock'"
            " and application_name like 'orquestrax journal%' and datname = current_database())"
        )
    )
