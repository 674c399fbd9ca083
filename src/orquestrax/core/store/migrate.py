"""Migrations: numbered SQL files, forward only, each in a transaction, all under one lock.

The database is created too, if the server lets us. The lock is an advisory one of the transaction, so it works
behind a pooler; several nodes that start at once migrate one after the other, and all but the first find it done.
"""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from orquestrax.base.errors import DatabaseError, SchemaMismatch
from orquestrax.core.store.database import MINIMUM_VERSION, Address, connect
from orquestrax.core.store.statements import migrations, quoted_schema

RESET_ATTEMPTS: Final = 10


def newest() -> int:
    """The number of the last migration that this release knows."""
    return migrations("orquestrax")[-1][0]


async def migrate(address: Address) -> list[str]:
    """Bring the schema to this release, and create the database and the schema if they are not there.

    Returns the names of the migrations that ran. Raises DatabaseError, SchemaMismatch if the schema is newer.
    """
    await create_database(address)
    connection = await connect(address, name="orquestrax migrates")
    try:
        return await _migrate(connection, address.schema)
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseError(f"the database user may not create the schema: {error}") from error
    finally:
        connection.terminate()


async def _migrate(connection: asyncpg.Connection, schema: str) -> list[str]:
    version = connection.get_server_version()
    if version.major * 10_000 < MINIMUM_VERSION:
        raise DatabaseError(f"this is PostgreSQL {version.major}: OrquestraX needs 15 or newer")
    quoted, ran = quoted_schema(schema), list[str]()
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _lock_number(schema))
        if await connection.fetchval("select to_regnamespace($1) is null", quoted):
            await connection.execute(f"create schema {quoted}")
        await connection.execute(
            f"create table if not exists {quoted}.migrations "
            "(number integer primary key, name text not null, at timestamptz not null default clock_timestamp())"
        )
        present = await connection.fetchval(f"select coalesce(max(number), 0) from {quoted}.migrations")  # noqa: S608
        _refuse_newer(present, schema)
        for number, name, text in migrations(schema):
            if number > present:
                await connection.execute(text)
                await connection.execute(f"insert into {quoted}.migrations values ($1, $2)", number, name)  # noqa: S608
                ran.append(name)
    return ran


async def schema_version(address: Address) -> int:
    """The number of the last migration in the database; 0 if the schema is not there."""
    connection = await connect(address)
    try:
        table = f"{quoted_schema(address.schema)}.migrations"
        if await connection.fetchval("select to_regclass($1) is null", table):
            return 0
        return int(await connection.fetchval(f"select coalesce(max(number), 0) from {table}"))  # noqa: S608
    finally:
        connection.terminate()


async def require_schema(address: Address) -> None:
    """Raise SchemaMismatch unless the schema is exactly what this release needs."""
    present = await schema_version(address)
    _refuse_newer(present, address.schema)
    if present < newest():
        state = (
            "is not there" if present == 0 else f"is at migration {present}, this release needs {newest()}"
        )
        raise SchemaMismatch(f"the schema {address.schema} {state}: run `orquestrax db migrate`")


async def reset(address: Address) -> None:
    """Drop everything in the schema and build it anew. Fences go on from where they were: none is ever used twice.

    All of it is one transaction: a schema whose fences begin anew is never there for a node to see.
    """
    connection = await connect(address, name="orquestrax resets")
    try:
        for attempt in range(RESET_ATTEMPTS):
            try:
                async with connection.transaction():
                    await _reset(connection, address.schema)
            except asyncpg.DeadlockDetectedError:  # running nodes lock the same tables in other orders
                if attempt == RESET_ATTEMPTS - 1:
                    raise
            else:
                return
    finally:
        connection.terminate()


async def _reset(connection: asyncpg.Connection, schema: str) -> None:
    quoted = quoted_schema(schema)
    await connection.execute("select pg_advisory_xact_lock($1)", _lock_number(schema))
    last = None
    if not await connection.fetchval("select to_regclass($1) is null", f"{quoted}.fences"):
        await connection.execute(f"lock table {quoted}.nodes in access exclusive mode")
        last = await connection.fetchval(f"select last_value from {quoted}.fences")  # noqa: S608
    await connection.execute(f"drop schema if exists {quoted} cascade")
    await _migrate(connection, schema)
    if last is not None:
        await connection.fetchval("select setval($1::regclass, $2)", f"{quoted}.fences", last)


async def create_database(address: Address) -> None:
    """Create the database of the address if the server has none of that name."""
    try:
        (await connect(address)).terminate()
    except DatabaseError as error:
        if not isinstance(error.__cause__, asyncpg.InvalidCatalogNameError):
            raise
    else:
        return
    parts = urlsplit(address.dsn)
    name = unquote(parts.path.lstrip("/"))
    server = Address(
        dsn=urlunsplit(parts._replace(path="/postgres")), schema=address.schema, deadline=address.deadline
    )
    connection = await connect(server)
    try:
        await connection.execute(f'create database "{name.replace(chr(34), chr(34) * 2)}"')
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        return  # another node was quicker, or as quick
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseError(
            f"the database {name} is not there and this user may not create it: {error}"
        ) from error
    finally:
        connection.terminate()


def _refuse_newer(present: int, schema: str) -> None:
    if present > newest():
        raise SchemaMismatch(
            f"the schema {schema} is at migration {present}, newer than this release knows ({newest()}): "
            "install the newer OrquestraX"
        )


def _lock_number(schema: str) -> int:
    """One 64-bit advisory lock per schema name; the schema may not exist yet, so it has no oid."""
    return int.from_bytes(
        hashlib.blake2b(f"orquestrax migrate {schema}".encode(), digest_size=8).digest(), signed=True
    )
