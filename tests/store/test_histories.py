"""A history is read whole, in one statement, while messages move from the inbox into the events."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from uuid import UUID

import asyncpg

from orquestrax.core.store.batch import BatchWriter
from orquestrax.core.store.statements import statement
from tests.store.support import Rig, Told

MOVES = 150


async def mover(rig: Rig, told: Told, writer: BatchWriter, key: UUID) -> None:
    """Messages that come and become history, one after the other."""
    for n in range(1, MOVES + 1):
        await rig.send(key)
        await writer.write([told.write(key, n, read_mail=n, consumed=[n])])


def whole(seen: set[int]) -> bool:
    """Whether nothing is missing below the highest number seen."""
    return seen == set(range(1, max(seen, default=0) + 1))


async def read_apart(rig: Rig, connection: asyncpg.Connection, key: UUID) -> tuple[set[int], set[int]]:
    """The mutant: events in one statement, the inbox in the next."""
    events = await connection.fetch(rig.text("select seq from {schema}.events where instance = $1"), key)
    inbox = await connection.fetch(rig.text("select number from {schema}.inbox where instance = $1"), key)
    return {row["seq"] for row in events}, {row["number"] for row in inbox}


async def test_I7_a_message_that_moves_between_two_statements_is_missed_by_both(rig: Rig, told: Told):
    key = await rig.owned(fence := await rig.node())
    await rig.send(key)
    writer, reader = BatchWriter(await rig.connect(), fence, rig.address.schema), await rig.connect()
    events = await reader.fetch(rig.text("select seq from {schema}.events where instance = $1"), key)
    await writer.write([told.write(key, 1, read_mail=1, consumed=[1])])
    inbox = await reader.fetch(rig.text("select number from {schema}.inbox where instance = $1"), key)
    assert events == inbox == [], "the message was there all the time"


async def test_I7_I10_histories_never_miss_a_message_that_moves(rig: Rig, told: Told):
    key = await rig.owned(fence := await rig.node())
    store, writer = await rig.store(fence), BatchWriter(await rig.connect(), fence, rig.address.schema)
    moving = asyncio.create_task(mover(rig, told, writer, key))
    seen_in_both = 0
    while not moving.done():
        history = (await store.histories([key]))[key]
        events = {event.seq for event in history.events}
        inbox = {message.number for message in history.messages}
        assert whole(events | inbox)
        assert not events & inbox, "a message is in one place at a time"
        seen_in_both += bool(inbox)
    await moving
    assert seen_in_both, "the reader never met a message on its way"


async def test_histories_of_many_instances_come_apart_and_in_order(rig: Rig, told: Told):
    fence = await rig.node()
    keys = [await rig.owned(fence) for _ in range(5)]
    writer = BatchWriter(await rig.connect(), fence, rig.address.schema)
    await writer.write([told.write(key, *range(1, n + 2)) for n, key in enumerate(keys)])
    await rig.send(keys[0], keys[4], keys[0])
    await rig.rows(
        "insert into {schema}.tasks (instance, command, step, queue, available_at, attempt, asked_at, input,"
        " options) values ($1, 7, 's', 'q', now(), 1, now(), '[]', '{}')",
        keys[2],
    )
    histories = await (await rig.store(fence)).histories([*keys, stranger := await rig.pending()])
    for n, key in enumerate(keys):
        assert [event.seq for event in histories[key].events] == list(range(1, n + 2))
    assert [message.number for message in histories[keys[0]].messages] == [1, 2]
    assert histories[keys[2]].queued == {7}
    assert not (histories[stranger].events)
    assert not (histories[stranger].messages)
    assert not (histories[stranger].queued)


async def test_the_statement_has_one_snapshot(rig: Rig):
    """One statement, and that a union: whoever splits it breaks the rule above."""
    text = statement(rig.address.schema, "histories")
    assert text.count(";") == 0
    assert text.count("union all") == 3


def test_I3_no_statement_changes_or_removes_an_event():
    """Append-only: the one statement that names the table beside reads inserts."""
    for entry in files("orquestrax.core.store").joinpath("sql").iterdir():
        text = " ".join(entry.read_text(encoding="utf-8").lower().split())
        assert "update {schema}.events" not in text, entry.name
        assert "delete from {schema}.events" not in text, entry.name
        assert ("insert into {schema}.events" in text) == (entry.name == "insert_events.sql"), entry.name
