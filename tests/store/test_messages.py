"""Messages: one statement gives them their numbers under the row's lock, gapless, in the sender's order."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from orquestrax.base.errors import InstanceEnded, NotFound
from orquestrax.base.ids import uuid7
from tests.store.support import Rig, Told, order

ENDED = ("completed", "failed", "cancelled", "terminated")


async def numbers(rig: Rig, key: UUID) -> list[int]:
    """The numbers in an instance's inbox."""
    return [row["number"] for row in await rig.client.inbox(key)]


async def test_I10_raising_mail_by_one_over_an_unnest_counts_once(rig: Rig):
    """The mutant: three messages in one statement, `mail + 1` for each."""
    key = await rig.pending()
    mutant = "update {schema}.instances set mail = mail + 1 from unnest($1::uuid[]) as m (k) where key = m.k"
    await rig.rows(mutant, [key] * 3)
    assert (await rig.row(key))["mail"] == 1


async def test_I10_several_messages_in_one_statement_get_numbers_of_their_own(rig: Rig):
    first, second = await rig.pending(), await rig.pending()
    sent = [first, second, first, first, second]
    await rig.client.send([order(key, message=f"m{place}") for place, key in enumerate(sent)])
    for key, messages in ((first, ["m0", "m2", "m3"]), (second, ["m1", "m4"])):
        inbox = await rig.client.inbox(key)
        assert [(row["number"], row["message"]) for row in inbox] == list(enumerate(messages, 1))
        assert (await rig.row(key))["mail"] == len(messages)


async def test_I10_concurrent_senders_leave_no_gap_and_keep_their_order(rig: Rig):
    keys = [await rig.pending() for _ in range(3)]

    async def sender(name: int) -> None:
        for n in range(0, 40, 2):
            chosen = keys if name % 2 else keys[::-1]
            await rig.client.send([order(key, message=f"{name}:{n + k}") for k in (0, 1) for key in chosen])

    await asyncio.gather(*(sender(name) for name in range(8)))
    for key in keys:
        inbox = await rig.client.inbox(key)
        assert [row["number"] for row in inbox] == list(range(1, 8 * 40 + 1))
        assert (await rig.row(key))["mail"] == len(inbox)
        for name in range(8):
            mine = [row["message"] for row in inbox if row["message"].startswith(f"{name}:")]
            assert mine == [f"{name}:{n}" for n in range(40)]


@pytest.mark.parametrize("status", ENDED)
async def test_I11_an_ended_instance_takes_no_message_and_the_sender_is_told(rig: Rig, status: str):
    ended, open_ = await rig.pending(), await rig.pending()
    await rig.rows("update {schema}.instances set status = $2 where key = $1", ended, status)
    with pytest.raises(InstanceEnded):
        await rig.client.send([order(ended), order(open_)])
    assert await numbers(rig, ended) == []
    assert (await rig.row(ended))["mail"] == 0
    assert await numbers(rig, open_) == [1]


async def test_a_message_to_nobody_is_refused(rig: Rig):
    with pytest.raises(NotFound):
        await rig.send(uuid7())
    assert await rig.value("select count(*) from {schema}.inbox") == 0


@pytest.mark.parametrize(
    ("status", "kind", "due"),
    [
        ("waiting", "signal", True),
        ("pending", "signal", True),
        ("paused", "signal", False),
        ("blocked", "signal", False),
        ("paused", "cancel", True),
        ("blocked", "cancel", True),
        ("paused", "terminate", True),
        ("blocked", "terminate", True),
    ],
)
async def test_a_message_wakes_a_row_without_an_owner(rig: Rig, status: str, kind: str, due: bool):
    key = await rig.pending()
    await rig.rows(
        "update {schema}.instances set status = $2, wake_at = null, started_at = created_at where key = $1",
        key,
        status,
    )
    await rig.send(key, kind=kind)
    row = await rig.row(key)
    assert (row["wake_at"] is not None) == due
    assert row["lane"] == 0


async def test_a_message_to_an_owned_row_tells_the_owner_to_hint_and_wakes_nobody(rig: Rig):
    fence = await rig.node()
    key = await rig.owned(fence)
    assert await rig.client.send([order(key)]) == [fence.number]
    assert (await rig.row(key))["wake_at"] is None


async def test_a_message_to_a_start_leaves_it_among_the_starts(rig: Rig):
    """Lane 0 is for what was under way: signals must not lift starts over it."""
    key = await rig.pending()
    await rig.send(key)
    assert (await rig.row(key))["lane"] == 1


async def test_mail_never_goes_down(rig: Rig, told: Told):
    fence = await rig.node()
    key = await rig.owned(fence)
    await rig.send(key, key)
    journal = await rig.journal(fence)
    read = told.write(key, 1, 2, read_mail=2, consumed=[1, 2])
    journal.submit(read)
    await told.all([read])
    assert await numbers(rig, key) == []
    await rig.send(key)
    assert await numbers(rig, key) == [3]
