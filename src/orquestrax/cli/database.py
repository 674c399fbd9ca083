"""`db …`: the schema and the database under it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlsplit

import typer

from orquestrax.base.errors import DatabaseError, InvalidInput, NotFound
from orquestrax.cli import options, output
from orquestrax.cli.failing import say
from orquestrax.cli.session import announce, settings_of

if TYPE_CHECKING:
    from orquestrax.core.store.database import Address
    from orquestrax.settings import Settings

T = TypeVar("T")
app = typer.Typer(help="The schema and the database under it.", no_args_is_help=False)


def _reach(settings: Settings, work: Callable[[Address], Awaitable[T]]) -> T:
    """Name the database, then do the work at its address, without asking what schema is there."""
    from orquestrax.client.connect import reached

    async def main() -> T:
        async with reached(settings) as address:
            return await work(address)

    announce(settings)
    return asyncio.run(main())


@app.command()
def migrate(database: options.Database = None, namespace: options.Namespace = None) -> None:
    """Bring the schema to this release; create the database and the schema if they are not there.

    Example:

      orquestrax db migrate --database postgresql://postgres@db.example.org/orders
    """
    from orquestrax.core.store.migrate import migrate as bring_up

    ran = _reach(settings_of(database=database, namespace=namespace), bring_up)
    for name in ran:
        say(f"migrated: {name}")
    if not ran:
        say("up to date: nothing to migrate")


@app.command()
def status(
    as_json: options.Json = False,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Show the server, the schema's migration, and what it holds.

    Example:

      orquestrax db status --json
    """
    found = _reach(settings_of(database=database, namespace=namespace), _status)
    if as_json:
        output.print_json(found)
        return
    counts = found["instances"]
    lines = {
        "server": f"PostgreSQL {found['server']}",
        "schema": found["schema"],
        "migration": f"{found['migration']} of {found['newest']}{_advice(found)}",
        "size": f"{found['bytes'] / 1e6:,.1f} MB",
        "nodes": f"{found['nodes']} at work",
        "instances": ", ".join(f"{n} {name}" for name, n in counts.items()) or "none",
    }
    for name, value in lines.items():
        typer.echo(f"{name:<10} {value}")


def _advice(found: dict[str, Any]) -> str:
    return "" if found["migration"] == found["newest"] else " (run `orquestrax db migrate`)"


async def _status(address: Address) -> dict[str, Any]:
    from orquestrax.core.store.clientverbs import ClientStore
    from orquestrax.core.store.database import Database
    from orquestrax.core.store.migrate import newest, schema_version

    migration = await schema_version(address)
    database = Database(address)
    await database.open()
    try:
        (row,) = await database.query(
            "select current_setting('server_version') as server, "
            "pg_database_size(current_database()) as bytes"
        )
        current = migration == newest()
        counts = await ClientStore(database).counts() if current else {}
        return {
            "server": row["server"],
            "schema": address.schema,
            "migration": migration,
            "newest": newest(),
            "bytes": row["bytes"],
            "nodes": await _nodes_at_work(database) if current else 0,
            "instances": {name: n for name, n in counts.items() if n},
        }
    finally:
        await database.close()


async def _nodes_at_work(database: Any) -> int:
    from orquestrax.core.store.statements import quoted_schema

    schema = quoted_schema(database.address.schema)
    rows = await database.query(
        f"select count(*) as n from {schema}.nodes where status = 'alive' "  # noqa: S608 - a checked name
        f"and seen_at > {schema}.now() - make_interval(secs => 10)"
    )
    return int(rows[0]["n"])


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for the embedded server only.")] = False,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Delete everything in the schema and build it anew.

    On the embedded server it asks once; on any other it wants the database's name typed.

    Examples:

      orquestrax db reset --yes

      echo orders | orquestrax db reset --database postgresql://postgres@db.example.org/orders
    """
    settings = settings_of(database=database, namespace=namespace)

    async def work(address: Address) -> None:
        from orquestrax.core.store.migrate import reset as build_anew

        await _refuse_while_used(address)
        if not (settings.database is None and yes):
            _confirm(settings)
        await build_anew(address)

    _reach(settings, work)
    say("reset: the schema is empty")


async def _refuse_while_used(address: Address) -> None:
    from orquestrax.core.store.database import Database
    from orquestrax.core.store.migrate import newest, schema_version

    if await schema_version(address) != newest():
        return
    database = Database(address)
    await database.open()
    try:
        nodes = await _nodes_at_work(database)
    finally:
        await database.close()
    if nodes:
        raise DatabaseError(
            f"{nodes} node{'s work' if nodes > 1 else ' works'} on this schema: stop them first, and wait "
            "ten seconds if they were killed"
        )


def _confirm(settings: Settings) -> None:
    """Ask on stderr, read one line of stdin. Raises InvalidInput if it is not the word that was asked for."""
    if settings.database is None:
        word, question = "yes", "This deletes every instance. Type yes to go on: "
    else:
        word = urlsplit(settings.database).path.lstrip("/") or "postgres"
        question = f"This deletes every instance. Type the database's name, {word}, to go on: "
    typer.echo(question, nl=not sys.stdin.isatty(), err=True)
    if sys.stdin.readline().strip() != word:
        raise InvalidInput(f"nothing was deleted: {word} was not typed")


@app.command(context_settings={"ignore_unknown_options": True})
def psql(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- ARGUMENT…]", help="For psql itself.", show_default=False),
    ] = None,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Open psql on the database, with the schema in the search path.

    Examples:

      orquestrax db psql

      orquestrax db psql -- -c 'select status, count(*) from instances group by 1'
    """
    settings = settings_of(database=database, namespace=namespace)
    program = _find_psql()

    async def work(address: Address) -> int:
        return _run_psql(program, address, arguments or [])

    raise typer.Exit(_reach(settings, work))


def _run_psql(program: str, address: Address, arguments: list[str]) -> int:
    """As a child, not by exec: this process is what keeps the embedded server running.

    The password goes by the environment, where others cannot read it.
    """
    from orquestrax.core.store.statements import quoted_schema

    parts = urlsplit(address.dsn)
    user, _, place = parts.netloc.rpartition("@")
    bare = parts._replace(netloc=f"{user.partition(':')[0]}@{place}" if user else place).geturl()
    env = {**os.environ, "PGOPTIONS": f"-c search_path={quoted_schema(address.schema)},public"}
    if parts.password:
        from urllib.parse import unquote

        env["PGPASSWORD"] = unquote(parts.password)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends a statement there, not us
    try:
        return subprocess.run(  # noqa: S603 - a program that the user has installed, with the user's arguments
            [program, bare, *arguments], env=env, check=False, restore_signals=True
        ).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def _find_psql() -> str:
    from orquestrax.core.store.embedded.binaries import search

    for binaries in search():
        if os.access(binaries.bindir / "psql", os.X_OK):
            return str(binaries.bindir / "psql")
    if found := shutil.which("psql"):
        return found
    raise NotFound(
        "there is no psql here: install PostgreSQL's client (Debian: apt install postgresql-client)"
    )
