"""Payloads and times come back as they went in; keys are in the order of time."""

from __future__ import annotations

import pytest

from orquestrax.base.ids import uuid7
from orquestrax.core.store.batch import BatchWriter
from orquestrax.model.events import Event
from tests.store.support import Rig, Told, new_instance, order

# What jsonb changes: the order of keys, the kind of a number, the sign of zero, doubled keys, white space.
PAYLOADS = [
    b'{"b":1,"a":2}',
    b"1e22",
    b"-0.0",
    b'{"a":1,"a":2}',
    b'{ "a" : [ 1 , 2 ] }',
    b'"\\u00e9\xc3\xa9\\ud83d\\ude00"',
    b'{"text":"' + "ßö😀\u2028".encode() + b'"}',
    b"123456789012345678901234567890.10",
]


@pytest.mark.parametrize("payload", PAYLOADS[:5])
async def test_I19_jsonb_does_not_give_back_what_was_stored(rig: Rig, payload: bytes):
    """The mutant: live code would see other values than a replay."""
    assert (await rig.value("select $1::jsonb::text", payload.decode())).encode() != payload


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_I19_payloads_come_back_byte_for_byte(rig: Rig, told: Told, payload: bytes):
    fence = await rig.node()
    new = new_instance(input_=payload)
    assert await rig.client.start(new)
    (row,) = await (await rig.store(fence)).claim_due({"d": ""}, 1, 10)
    assert row.input.encode() == payload
    await rig.client.send([order(new.key, payload=payload)])
    journal = await rig.journal(fence)
    data = b'{"command":1,"result":' + payload + b"}"
    write = told.write(new.key, read_mail=1)
    write.events = [Event(1, "step_completed", 1, 1, 1, data)]
    journal.submit(write)
    await told.all([write])
    history = (await (await rig.store(fence)).histories([new.key]))[new.key]
    assert history.events[0].data == data.decode()
    assert history.messages[0].payload == payload.decode()
    end = told.end(new.key, 2, read_mail=1)
    end.change.result = payload
    journal.submit(end)
    await told.all([end])
    (view,) = await rig.client.by_key([new.key])
    assert (view.input, view.result) == (payload.decode(), payload.decode())


async def test_times_are_exact_to_the_microsecond(rig: Rig):
    """Also far from 1970, and where a float would round."""
    connection = await rig.connect()

    for at in (
        0,
        1,
        -1,
        946_684_800_000_000,
        1_763_800_000_123_457,
        4_102_444_799_999_999,
        253_402_300_799_999_999,
    ):
        assert await connection.fetchval("select $1::timestamptz", at) == at
        assert (
            await connection.fetchval("select (extract(epoch from $1::timestamptz) * 1000000)::bigint", at)
            == at
        )
        assert await connection.fetch("select unnest($1::timestamptz[])", [at, None]) == [(at,), (None,)]


async def test_events_keep_their_times_counters_and_trails(rig: Rig, told: Told):
    fence = await rig.node()
    key = await rig.owned(fence)
    sent = [
        Event(1, "timer_fired", 1_763_800_000_123_457, 2**31 - 1, 2**32 - 1, b'{"command":1}'),
        Event(2, "timer_fired", 1_763_800_000_123_457, 0, 0, b'{"command":2}'),
    ]
    writer = BatchWriter(await rig.connect(), fence, rig.address.schema)
    write = told.write(key)
    write.events = sent
    await writer.write([write])
    (history,) = (await (await rig.store(fence)).histories([key])).values()
    assert [(e.seq, e.type, e.at, e.issued, e.trail) for e in history.events] == [
        e[:5] for e in map(tuple_of, sent)
    ]


async def test_keys_are_in_the_order_of_starts(rig: Rig):
    """Lists page by key: the newest first, none twice, none left out."""
    keys = [await rig.pending(f"i-{n}") for n in range(30)]
    assert keys == sorted(keys)
    assert {key.version for key in keys} == {7}
    seen, before = [], None
    while page := await rig.client.list(before=before, limit=7):
        seen += [view.key for view in page]
        before = page[-1].key
    assert seen == keys[::-1]
    assert uuid7() > keys[-1]


def tuple_of(event: Event) -> tuple[object, ...]:
    return (event.seq, event.type, event.at, event.issued, event.trail, event.data)
