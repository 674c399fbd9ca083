"""The fence: a node that has been declared dead never writes again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest

from orquestrax.base.errors import Fenced
from orquestrax.core.store.batch import BatchWriter
from orquestrax.core.store.columns import array
from orquestrax.core.store.database import Address
from orquestrax.core.store.deaths import declare_dead
from orquestrax.core.store.fence import TERMINATE_HOLDERS, Fence
from orquestrax.core.store.statements import statement
from tests.store.support import Rig, Told, blocked_backend, until


async def declaring(rig: Rig, fence: Fence) -> asyncpg.Connection:
    """A declaration that has set the node dead and has not committed yet."""
    connection = await rig.connect()
    await fence.begin_exclusive(connection)
    assert await connection.fetch(statement(rig.address.schema, "end_node"), fence.number, "dead", None)
    return connection


async def test_I4_lock_and_check_in_one_statement_lets_a_zombie_pass(rig: Rig):
    """The mutant: its snapshot is older than the lock, so it sees itself alive."""
    fence = await rig.node()
    declarer, zombie = await declaring(rig, fence), await rig.connect()
    mutant = rig.text(
        "select pg_advisory_xact_lock_shared($1, $2),"
        " exists (select from {schema}.nodes where fence = $2 and status = 'alive') as alive"
    )
    passing = asyncio.create_task(zombie.fetchrow(mutant, fence.space, fence.number))
    await blocked_backend(rig, zombie)
    await declarer.execute("commit")
    assert (await passing)["alive"] is True


async def test_I4_a_zombie_that_waited_for_the_lock_sees_that_it_is_dead(rig: Rig, told: Told):
    fence = await rig.node()
    key = await rig.owned(fence)
    declarer = await declaring(rig, fence)
    writer = BatchWriter(await rig.connect(), fence, rig.address.schema)
    writing = asyncio.create_task(writer.write([told.write(key, 1)]))
    await blocked_backend(rig, writer.connection)
    await declarer.execute("commit")
    with pytest.raises(Fenced):
        await writing
    assert await rig.seqs(key) == []


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_I4_the_database_may_have_another_default_isolation(rig: Rig, told: Told, level: str):
    """With the snapshot of such a transaction the check would be older than the lock again."""
    fence = await rig.node()
    key = await rig.owned(fence)
    strict = with_setting(rig.address, "default_transaction_isolation", level)
    declarer = await declaring(rig, fence)
    writer = BatchWriter(await rig.connect(strict), fence, rig.address.schema)
    assert await writer.connection.fetchval("show default_transaction_isolation") == level
    writing = asyncio.create_task(writer.write([told.write(key, 1)]))
    await blocked_backend(rig, writer.connection)
    await declarer.execute("commit")
    with pytest.raises(Fenced):
        await writing
    assert await rig.seqs(key) == []


async def test_I4_without_the_lock_a_write_commits_after_the_declaration(rig: Rig):
    """The mutant: each statement checks, nothing holds the declarer back."""
    fence = await rig.node()
    key = await rig.owned(fence)
    zombie = await rig.connect()
    await zombie.execute("begin")
    await insert_event(rig, zombie, fence, key)
    assert await declare_dead(rig.address, fence.space, fence.number, None)
    successor = await (await rig.store(await rig.node())).claim_due({"d": ""}, 0, 1)
    assert [row.key for row in successor] == [key]
    assert await rig.seqs(key) == []
    await zombie.execute("commit")
    assert await rig.seqs(key) == [1], "history that the new owner has not read"


async def test_I4_a_declaration_waits_for_what_is_about_to_commit(rig: Rig):
    fence = await rig.node()
    key = await rig.owned(fence)
    writer = await rig.connect()
    await fence.begin(writer)
    await insert_event(rig, writer, fence, key)
    declaration = asyncio.create_task(declare_dead(rig.address, fence.space, fence.number, None))
    await until(lambda: waits_for_fence(rig))
    assert (await rig.row(key))["owner"] == fence.number
    assert await writer.execute("commit") == "COMMIT"
    assert await declaration
    assert await rig.seqs(key) == [1]
    assert (await rig.row(key))["owner"] is None


async def test_I4_in_one_statement_a_claim_in_flight_stays_with_the_dead(rig: Rig):
    """The mutant: lock, declaration and release in one CTE, whose snapshot is older than the claim."""
    fence = await rig.node()
    key = await rig.pending()
    claimer, mutant = await rig.connect(), await rig.connect()
    await claim(rig, claimer, fence)
    declaration = asyncio.create_task(
        mutant.fetch(
            rig.text(
                "with held as materialized (select pg_advisory_xact_lock($1, $2) as lock), dead as ("
                "  update {schema}.nodes set status = 'dead' where fence = $2 and (select true from held))"
                " update {schema}.instances set owner = null where owner = $2 and (select true from held)"
            ),
            fence.space,
            fence.number,
        )
    )
    await blocked_backend(rig, mutant)
    await claimer.execute("commit")
    await declaration
    assert (await rig.row(key))["owner"] == fence.number, "for ever"


async def test_I4_a_claim_in_flight_is_freed_too(rig: Rig):
    fence = await rig.node()
    key = await rig.pending()
    claimer = await rig.connect()
    await claim(rig, claimer, fence)
    declaration = asyncio.create_task(declare_dead(rig.address, fence.space, fence.number, None))
    await until(lambda: waits_for_fence(rig))
    await claimer.execute("commit")
    assert await declaration
    row = await rig.row(key)
    assert (row["owner"], row["lane"], row["lost_owner"], row["suspicion"]) == (None, 0, fence.number, 1)
    assert row["wake_at"] is not None


async def test_I14_a_node_that_has_beaten_meanwhile_is_not_declared_dead(rig: Rig):
    fence = await rig.node()
    key = await rig.owned(fence)
    await rig.database.fetch("heartbeat", fence.number, None)
    assert not await declare_dead(rig.address, fence.space, fence.number, 0)
    assert (await rig.row(key))["owner"] == fence.number
    assert await declare_dead(rig.address, fence.space, fence.number, 1)
    assert not await declare_dead(rig.address, fence.space, fence.number, None), "only once"
    assert await rig.database.fetch("heartbeat", fence.number, None) == [], "the dead have no heartbeat"


async def test_I4_each_writing_statement_bears_the_check():
    """Also those that a test cannot reach with a dead node."""
    guarded = ("claim_due", "claim_orders", "insert_events", "insert_owned", "update_instances")
    for name in (*guarded, "claim_overdue", "set_deadlines", "delete_leftovers", "delete_messages"):
        assert "where fence = $1 and status = 'alive'" in statement("s", name), name
    assert "where fence = $1::integer and status = 'alive'" in statement("s", "step_result")


async def test_the_holders_of_other_nodes_schemas_and_databases_are_left_alone(rig: Rig):
    mine, other = await rig.node(), await rig.node()
    foreign = Fence(mine.space + 1, mine.number)
    connections = {}
    for name, fence in (("mine", mine), ("other", other), ("foreign", foreign)):
        connections[name] = await rig.connect()
        await fence.begin(connections[name])
    await rig.rows(TERMINATE_HOLDERS, mine.space, mine.number)
    await until(connections["mine"].is_closed)
    for name in ("other", "foreign"):
        assert await connections[name].fetchval("select 1") == 1


@pytest.mark.parametrize("oid", [1, 2**31 - 1, 2**31, 2**32 - 1])
async def test_every_oid_is_a_lock_space_of_its_own(rig: Rig, oid: int):
    """The first key of an advisory lock is signed, an oid is not, and the list of locks is unsigned too."""
    fence = Fence(oid - 2**31, 7)
    holder = await rig.connect()
    await fence.begin(holder)
    await rig.rows(TERMINATE_HOLDERS, fence.space, fence.number)
    await until(holder.is_closed)


async def insert_event(rig: Rig, connection: asyncpg.Connection, fence: Fence, key: UUID) -> None:
    """One event, by the statement of the journal."""
    tag = await connection.execute(
        statement(rig.address.schema, "insert_events"),
        fence.number,
        *(array([key]), "{1}", "{t}", "{1}", "{1}", "{1}", "{}"),
    )
    assert tag == "INSERT 0 1"


async def claim(rig: Rig, connection: asyncpg.Connection, fence: Fence) -> None:
    """A claim that has not been committed."""
    await fence.begin(connection)
    await fence.check(connection, rig.address.schema)
    assert await connection.fetch(
        statement(rig.address.schema, "claim_due"), fence.number, ["d"], [1], [9], [""], 9
    )


async def waits_for_fence(rig: Rig) -> bool:
    """Whether a declarer waits for an advisory lock."""
    waits: bool = await rig.value(
        "select exists (select from pg_stat_activity where wait_event = 'advisory'"
        " and application_name = 'orquestrax declares' and datname = current_database())"
    )
    return waits


def with_setting(address: Address, name: str, value: str) -> Address:
    """The address with a setting of the server for its sessions."""
    joint = "&" if "?" in address.dsn else "?"
    return replace(address, dsn=f"{address.dsn}{joint}{name}={value.replace(' ', '%20')}")
