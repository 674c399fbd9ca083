"""Migrations: forward only, under one lock, and a reset that never hands out a fence twice."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from importlib.resources import files
from types import SimpleNamespace
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from orquestrax.base.errors import DatabaseError, DatabaseUnreachable, SchemaMismatch, SettingsError
from orquestrax.core.store import migrate as module
from orquestrax.core.store.database import Address, connect
from orquestrax.core.store.migrate import migrate, newest, require_schema, reset, schema_version
from orquestrax.core.store.statements import migrations, statement
from tests.store.proxy import Fault, Proxy
from tests.store.support import NODE, Rig

TABLES = {"migrations", "nodes", "definitions", "instances", "events", "inbox", "tasks", "logs", "progress"}
_numbers = itertools.count()


@pytest.fixture
def fresh(dsn: str) -> Address:
    """A schema that is not there."""
    return Address(dsn=dsn, schema=f"fresh{next(_numbers)}")


async def register(address: Address) -> int:
    """The fence of a new node."""
    connection = await connect(address)
    try:
        fence: int = await connection.fetchval(statement(address.schema, "register_node"), *NODE.values())
    finally:
        connection.terminate()
    return fence


async def test_the_schema_is_made_once(fresh: Address):
    assert await schema_version(fresh) == 0
    ran = await migrate(fresh)
    assert ran[0] == "0001_foundation.sql"
    assert await migrate(fresh) == []
    assert await schema_version(fresh) == newest() == len(ran)
    await require_schema(fresh)
    async with Rig(fresh) as rig:
        rows = await rig.rows("select tablename from pg_tables where schemaname = $1", fresh.schema)
        assert {row["tablename"] for row in rows} >= TABLES


async def test_several_at_once_migrate_one_after_the_other(fresh: Address):
    ran = await asyncio.gather(*(migrate(fresh) for _ in range(5)))
    assert sorted(map(len, ran)) == [0, 0, 0, 0, newest()]


async def test_without_the_lock_two_collide(fresh: Address, monkeypatch: pytest.MonkeyPatch):
    """The mutant: each takes a lock of its own."""
    numbers = itertools.count(1)
    monkeypatch.setattr(module, "_lock_number", lambda _schema: next(numbers))
    answers = await asyncio.gather(*(migrate(fresh) for _ in range(5)), return_exceptions=True)
    assert any(isinstance(answer, asyncpg.PostgresError) for answer in answers)


async def test_the_database_is_made_too(dsn: str):
    parts = urlsplit(dsn)
    name = f'{parts.path.lstrip("/")}_odd "name"'
    address = Address(dsn=urlunsplit(parts._replace(path="/" + name.replace('"', "%22").replace(" ", "%20"))))
    with pytest.raises(DatabaseError, match="orquestrax db migrate"):
        await require_schema(address)
    try:
        made = await asyncio.gather(*(migrate(address) for _ in range(2)))
        assert sorted(map(len, made)) == [0, newest()]
    finally:
        server = await asyncpg.connect(dsn)
        quoted = name.replace('"', '""')
        await server.execute(f'drop database if exists "{quoted}" with (force)')
        await server.close()


async def test_a_schema_that_is_not_there_is_one_sentence(fresh: Address):
    with pytest.raises(
        SchemaMismatch, match=f"the schema {fresh.schema} is not there: run `orquestrax db migrate`"
    ):
        await require_schema(fresh)


async def test_an_older_schema_is_one_sentence(fresh: Address, monkeypatch: pytest.MonkeyPatch):
    await migrate(fresh)
    version = newest()
    monkeypatch.setattr(module, "newest", lambda: version + 1)
    with pytest.raises(SchemaMismatch, match=f"is at migration {version}, this release needs {version + 1}"):
        await require_schema(fresh)


async def test_a_newer_schema_is_refused_and_left_alone(rig: Rig):
    await rig.rows("insert into {schema}.migrations values (9999, '9999_future.sql')")
    for refused in (migrate, require_schema):
        with pytest.raises(SchemaMismatch, match="install the newer OrquestraX"):
            await refused(rig.address)
    assert await schema_version(rig.address) == 9999


async def test_a_migration_that_fails_leaves_nothing(fresh: Address, monkeypatch: pytest.MonkeyPatch):
    broken = (*migrations(fresh.schema), (8888, "8888_broken.sql", "create table nowhere.at_all ()"))
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda _schema: broken)
        with pytest.raises(asyncpg.PostgresError):
            await migrate(fresh)
    assert await schema_version(fresh) == 0
    assert await migrate(fresh)


@pytest.mark.parametrize(("major", "refused"), [(14, True), (15, False), (18, False)])
async def test_postgresql_below_15_is_refused(major: int, refused: bool, fresh: Address):
    real = await connect(fresh)

    class Old:
        """The connection, of a server that says it is of another version."""

        def get_server_version(self) -> object:
            return SimpleNamespace(major=major)

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

    try:
        if refused:
            with pytest.raises(DatabaseError, match="this is PostgreSQL 14: OrquestraX needs 15 or newer"):
                await module._migrate(Old(), fresh.schema)
            assert await schema_version(fresh) == 0
        else:
            assert await module._migrate(Old(), fresh.schema)
    finally:
        real.terminate()


async def test_I4_a_reset_never_hands_out_a_fence_twice(rig: Rig):
    before = [await register(rig.address) for _ in range(3)]
    await rig.pending("gone")
    await reset(rig.address)
    after = [await register(rig.address) for _ in range(3)]
    assert min(after) > max(before)
    assert await rig.value("select count(*) from {schema}.instances") == 0
    await reset(rig.address)
    assert await register(rig.address) > max(after)


@pytest.mark.parametrize("at", [1, 2])
async def test_I4_nor_one_that_is_cut_in_the_middle(rig: Rig, proxy: Proxy, at: int):
    before = [await register(rig.address) for _ in range(3)]
    commits = itertools.count(1)
    proxy.fault(
        Fault(
            "after",
            lambda kind, body: kind == b"Q" and body.lower().startswith(b"commit") and next(commits) == at,
        )
    )
    try:
        await reset(proxy.address)
    except (asyncpg.PostgresError, DatabaseUnreachable, OSError):
        await migrate(rig.address)
    assert await register(rig.address) > max(before)


async def test_I4_nor_while_nodes_register(rig: Rig):
    """A node that starts during a reset waits for it, or has come before it."""
    fences: list[int] = []

    async def starting() -> None:
        while len(fences) < 300:
            try:
                fences.append(await register(rig.address))
            except asyncpg.PostgresError:
                await asyncio.sleep(0)

    nodes = [asyncio.create_task(starting()) for _ in range(3)]
    for _ in range(3):
        await reset(rig.address)
    await asyncio.gather(*nodes)
    assert len(set(fences)) == len(fences)


async def test_a_reset_of_nothing_makes_the_schema(fresh: Address):
    await reset(fresh)
    await require_schema(fresh)
    assert await register(fresh) == 1


@pytest.mark.parametrize("name", ["Upper", "with space", "x" * 42, "9digit", 'a"b', "", "a.b"])
async def test_a_namespace_that_is_no_plain_name_is_refused(fresh: Address, name: str):
    with pytest.raises(SettingsError, match="not a plain name"):
        await migrate(replace(fresh, schema=name))


async def test_no_statement_names_a_schema_of_its_own():
    """`{schema}` is the only substitution: what is left out would live in the wrong namespace."""
    folder = files("orquestrax.core.store").joinpath("sql")
    for entry in folder.iterdir():
        lines = statement("abc", entry.name.removesuffix(".sql")).splitlines()
        text = "\n".join(line for line in lines if not line.lstrip().startswith("--"))
        assert "{" not in text, entry.name
        assert "orquestrax." not in text, entry.name
        assert ";" not in text, f"{entry.name}: one statement a file"
