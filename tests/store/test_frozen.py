"""Holders of the fence that wait for their client are ended; one that waits for a standby is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from orquestrax.base.errors import DatabaseUnreachable
from orquestrax.core.store.database import Address
from orquestrax.core.store.deaths import declare_dead
from orquestrax.core.store.embedded import EmbeddedServer, launch, start_embedded
from orquestrax.core.store.fence import TERMINATE_HOLDERS, Fence
from orquestrax.core.store.migrate import migrate
from orquestrax.model.rows import Verdict
from tests.homes import copied
from tests.store.proxy import Proxy
from tests.store.support import Rig, Told, somebody_waits, until

BIG = "select repeat('x', 1000) from generate_series(1, 200000)"


async def freeze_reading(rig: Rig, fence: Fence) -> tuple[asyncpg.Connection, asyncio.Task[object]]:
    """A node that stops reading in the middle of a result: the server waits for it for ever."""
    connection = await rig.connect()
    await fence.begin(connection)
    connection._transport.pause_reading()
    reading = asyncio.create_task(connection.fetch(BIG))
    await until(lambda: state_of(rig, connection, "active", "Client"))
    return connection, reading


async def state_of(rig: Rig, connection: asyncpg.Connection, state: str, waits: str) -> bool:
    """Whether the connection's backend is in this state."""
    pid = connection._protocol.backend_pid if connection._protocol else 0
    found: bool = await rig.value(
        "select exists (select from pg_stat_activity where pid = $1 and state like $2"
        " and wait_event_type = $3)",
        pid, state, waits,
    )  # fmt: skip
    return found


async def test_I4_a_reader_that_froze_in_the_middle_of_a_result_is_ended(rig: Rig):
    fence = await rig.node()
    key = await rig.owned(fence)
    connection, reading = await freeze_reading(rig, fence)
    async with asyncio.timeout(20):
        assert await declare_dead(rig.address, fence.space, fence.number, None, patience=0.2)
    assert (await rig.row(key))["owner"] is None
    assert not await state_of(rig, connection, "%", "Client"), "its backend is gone"
    connection.terminate()
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await reading


async def test_I4_ending_only_idle_holders_leaves_the_frozen_reader(rig: Rig):
    """The mutant; the server's own time-out for idle transactions does not strike either."""
    fence = await rig.node()
    connection, reading = await freeze_reading(rig, fence)
    mutant = TERMINATE_HOLDERS.replace("or (a.state = 'active' and a.wait_event_type = 'Client')", "")
    assert mutant != TERMINATE_HOLDERS
    assert await rig.rows(mutant, fence.space, fence.number) == []
    assert await state_of(rig, connection, "active", "Client")
    assert len(await rig.rows(TERMINATE_HOLDERS, fence.space, fence.number)) == 1
    connection.terminate()
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await reading


async def test_I4_a_holder_that_is_idle_in_its_transaction_is_ended(rig: Rig):
    fence = await rig.node()
    connection = await rig.connect()
    await fence.begin(connection)
    await connection.execute(
        "set local idle_in_transaction_session_timeout = 0"
    )  # it alone would end it, too
    async with asyncio.timeout(20):
        assert await declare_dead(rig.address, fence.space, fence.number, None, patience=0.2)
    await until(connection.is_closed)


async def test_a_holder_that_works_is_waited_for(rig: Rig):
    fence = await rig.node()
    connection = await rig.connect()
    await fence.begin(connection)
    working = asyncio.create_task(connection.fetch("select pg_sleep(0.8)"))
    declaration = asyncio.create_task(
        declare_dead(rig.address, fence.space, fence.number, None, patience=0.1)
    )
    await working
    assert not declaration.done()
    connection.terminate()
    assert await declaration


async def test_a_row_that_somebody_has_locked_is_waited_for(rig: Rig):
    """Freed are all or none: a message that takes its time holds up the declaration, and nothing else."""
    fence = await rig.node()
    keys = [await rig.owned(fence) for _ in range(3)]
    holder = await rig.connect()
    async with holder.transaction():
        await holder.fetch(rig.text("select 1 from {schema}.instances where key = $1 for update"), keys[1])
        declaration = asyncio.create_task(
            declare_dead(rig.address, fence.space, fence.number, None, patience=0.1)
        )
        await somebody_waits(rig, "transactionid")
        await asyncio.sleep(0.3)
        assert not declaration.done()
    assert await declaration
    assert {(await rig.row(key))["owner"] for key in keys} == {None}


async def test_I5_a_declaration_has_a_deadline_and_one_sentence(rig: Rig, proxy: Proxy):
    fence = await rig.node()
    connection = await rig.connect()
    await fence.begin(connection)
    working = asyncio.create_task(connection.fetch("select pg_sleep(60)"))
    hasty = replace(proxy.address, deadline=0.1)
    async with asyncio.timeout(20):
        with pytest.raises(DatabaseUnreachable, match="was lost"):
            await declare_dead(hasty, fence.space, fence.number, None, patience=30)
    assert proxy.cancels == 0
    assert not working.done()
    await rig.rows("select pg_terminate_backend($1)", connection.get_server_pid())
    with pytest.raises(asyncpg.PostgresError):
        await working


async def test_the_server_ends_a_transaction_that_its_node_left_open(rig: Rig):
    """Nobody declares anything: a frozen node's locks on rows go within seconds all the same."""
    fence = await rig.node()
    connection = await rig.connect()
    await fence.begin(connection)
    assert await connection.fetchval("show idle_in_transaction_session_timeout") == "3s"
    assert await connection.fetchval("show lock_timeout") == "2s"
    await until(connection.is_closed)


@pytest.fixture
def alone(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedServer]:
    """A server of this test's own, which can wait for a standby."""
    monkeypatch.setattr(
        launch, "SETTINGS", launch.SETTINGS | {"wal_level": "replica", "max_wal_senders": "2"}
    )
    with copied(made) as place:
        server = start_embedded(home=place / "home", project=place)
        yield server
        server.stop()


async def set_standby(rig: Rig, name: str) -> None:
    await rig.rows(f"alter system set synchronous_standby_names = '{name}'")
    await rig.rows("select pg_reload_conf()")
    await until(lambda: rig.value("select current_setting('synchronous_standby_names') = $1", name))


async def test_I4_I5_a_commit_that_waits_for_a_standby(alone: EmbeddedServer, told: Told):
    """A declaration waits for it too; to cancel it would tell a commit that no standby has."""
    address = Address(dsn=alone.dsn)
    await migrate(address)
    async with Rig(address) as rig:
        fence = await rig.node()
        key, other = await rig.owned(fence), await rig.owned(fence)
        await set_standby(rig, "missing")
        await the_mutant_cancels(rig)
        journal = await rig.journal(fence)
        write = told.write(key, 1)
        journal.submit(write)
        await somebody_waits(rig, "SyncRep")
        assert await rig.rows(TERMINATE_HOLDERS, fence.space, fence.number) == []
        declaration = asyncio.create_task(
            declare_dead(address, fence.space, fence.number, None, patience=0.1)
        )
        tries = "select count(*) from pg_stat_activity where wait_event = 'advisory'"
        for _ in range(3):
            await until(lambda: rig.value(tries))
            assert told.of(write) is None
        assert not declaration.done()
        await set_standby(rig, "")
        assert await told.all([write]) == [Verdict.COMMITTED]
        assert await declaration
        assert await rig.seqs(key) == [1]
        assert (await rig.row(other))["owner"] is None


async def the_mutant_cancels(rig: Rig) -> None:
    """A cancel, as `timeout=` of the driver sends: COMMIT is answered, and no standby has it."""
    connection = await rig.connect()
    await connection.execute(rig.text("begin; create table {schema}.mutant ()"))
    committing = asyncio.create_task(connection.execute("commit"))
    pid = connection.get_server_pid()
    await until(lambda: state_of(rig, connection, "active", "IPC"))
    await rig.value("select pg_cancel_backend($1)", pid)
    assert await committing == "COMMIT"
