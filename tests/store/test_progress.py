"""What bodies say of themselves: one row a step, latest wins, nothing of the dead, gone with the instance."""

from __future__ import annotations

from uuid import UUID

from orquestrax.core.store.progress import ProgressStore
from orquestrax.core.store.statements import statement
from orquestrax.model.jobs import Said
from tests.store.support import Rig


def said(key: UUID, command: int = 1, attempt: int = 1, done: float | None = None, **fields) -> Said:
    known = {"total": None, "note": "", "details": None} | fields
    return Said(instance=key, command=command, attempt=attempt, done=done, **known)


async def test_the_latest_wins_and_details_stay_until_there_are_new_ones(rig: Rig):
    store, fence = ProgressStore(rig.database), await rig.node(name="here")
    key, other = await rig.owned(fence), await rig.owned(fence)
    batch = [said(other, 2, done=1.0), said(key, 7, done=3, total=10, note="ü", details='{"row": 3}')]
    await store.write(fence.number, batch)
    await store.write(fence.number, [said(key, 7, done=4, total=10)])
    found = await store.of([key, other])
    assert list(found) == sorted([key, other])
    view = found[key][0]
    assert (view.command, view.attempt, view.node, view.done, view.total, view.note) == (
        7,
        1,
        f"here-{fence.number}",
        4,
        10,
        "",
    )
    assert view.details == '{"row": 3}'
    assert await store.of([]) == {}


async def test_an_older_attempt_does_not_overwrite_a_newer_one(rig: Rig):
    store, fence = ProgressStore(rig.database), await rig.node()
    key = await rig.owned(fence)
    await store.write(fence.number, [said(key, attempt=2, done=1)])
    await store.write(fence.number, [said(key, attempt=1, done=9)])
    assert (await store.of([key]))[key][0].done == 1


async def test_the_dead_say_nothing(rig: Rig):
    store, fence = ProgressStore(rig.database), await rig.node()
    key = await rig.owned(fence)
    await rig.rows("update {schema}.nodes set status = 'dead' where fence = $1", fence.number)
    await store.write(fence.number, [said(key, done=1)])
    assert await store.of([key]) == {}


async def test_a_row_goes_with_its_step_and_the_rest_with_its_instance(rig: Rig):
    store, fence = ProgressStore(rig.database), await rig.node()
    key, ended = await rig.owned(fence), await rig.owned(fence)
    await store.write(fence.number, [said(key, 1), said(key, 2), said(ended, 1)])
    await store.delete(fence.number, [(key, 1), (key, 99)])
    await rig.rows("update {schema}.instances set ended_at = {schema}.now() where key = $1", ended)
    await store.sweep(fence.number)
    assert ended in await store.of([ended]), "who does not lead sweeps nothing"
    await rig.rows(
        "update {schema}.leader set fence = $1, until = {schema}.now() + interval '1 h'", fence.number
    )
    await store.sweep(fence.number)
    found = await store.of([key, ended])
    assert [view.command for view in found[key]] == [2]
    assert ended not in found


async def test_what_a_successor_says_of_a_step_stays(rig: Rig):
    store, before, now = ProgressStore(rig.database), await rig.node(), await rig.node()
    key = await rig.owned(now)
    await store.write(now.number, [said(key)])
    await store.delete(before.number, [(key, 1)])
    assert await store.of([key]), "another living node runs it"
    await rig.rows("update {schema}.nodes set status = 'dead' where fence = $1", now.number)
    await store.delete(before.number, [(key, 1)])
    assert await store.of([key]) == {}


async def test_a_successor_reads_the_last_heartbeats_with_the_history(rig: Rig):
    store, fence = ProgressStore(rig.database), await rig.node()
    key = await rig.owned(fence)
    await store.write(fence.number, [said(key, 3, details='[1, "two"]'), said(key, 5, done=1)])
    history = (await (await rig.store(fence)).histories([key]))[key]
    assert history.heartbeats == {3: '[1, "two"]', 5: None}
    assert history.messages == []


async def test_its_commits_do_not_wait_for_the_disk(rig: Rig):
    """The statements switch that off for themselves only."""
    fence = await rig.node()
    key = await rig.owned(fence)
    arguments = {
        "write_progress": (fence.number, [key], [1], [1], [1.0], [None], [""], [None]),
        "delete_progress": (fence.number, [key], [1]),
    }
    connection = await rig.connect()
    for name, given in arguments.items():
        async with connection.transaction():
            assert await connection.fetchval("show synchronous_commit") == "on"
            await connection.fetch(statement(rig.address.schema, name), *given)
            assert await connection.fetchval("show synchronous_commit") == "off", name
        assert await connection.fetchval("show synchronous_commit") == "on"
