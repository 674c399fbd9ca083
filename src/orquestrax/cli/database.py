"""`db …`: the schema and the database under it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from orquestrax.base.errors import DatabaseError, InvalidInput
from orquestrax.cli import options, output, psql
from orquestrax.cli.failing import say
from orquestrax.cli.session import reach, settings_of

if TYPE_CHECKING:
    from orquestrax.core.store.database import Address
    from orquestrax.settings import Settings

app = typer.Typer(help="The schema and the database under it.", no_args_is_help=False)


@app.command()
def migrate(database: options.Database = None, namespace: options.Namespace = None) -> None:
    """Bring the schema to this release; create the database and the schema if they are not there.

    Example:

      orquestrax db migrate --database postgresql://postgres@db.example.org/orders
    """
    from orquestrax.core.store.migrate import migrate as bring_up

    ran = reach(settings_of(database=database, namespace=namespace), bring_up)
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
    found = reach(settings_of(database=database, namespace=namespace), _status)
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

    reach(settings, work)
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


@app.command()
def upgrade(
    bindir: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="The bin directory of the old version; found by itself if installed.",
        ),
    ] = None,
) -> None:
    """Bring the embedded server's data to the installed version of PostgreSQL; the old data is kept beside it.

    Examples:

      orquestrax db upgrade

      orquestrax db upgrade --from /usr/lib/postgresql/15/bin
    """
    settings = settings_of()
    if settings.database is not None:
        raise InvalidInput(
            f"the database comes from {settings.source} and is not the embedded one: upgrade its server by the "
            "tools of that server"
        )
    from orquestrax.core.store.embedded.upgrade import upgrade as bring_up

    done = bring_up(home=settings.home, bindir=bindir.absolute() if bindir else None)
    if done is None:
        say("up to date: nothing to upgrade")
        return
    say(
        f"upgraded: PostgreSQL {done.old} to {done.new}; the old data is in {done.kept}: remove it when all is well"
    )


app.command("psql", context_settings={"ignore_unknown_options": True})(psql.psql)
