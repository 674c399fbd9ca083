"""`dev`: engine, worker and dashboard for the code at hand, loaded anew as it changes."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from orquestrax.base.errors import DatabaseError, InvalidInput
from orquestrax.cli import options
from orquestrax.cli.failing import say
from orquestrax.cli.session import announce, settings_of

if TYPE_CHECKING:
    from orquestrax.core.store.database import Address
    from orquestrax.settings import Settings

MOST_NODES: Final = 16  # on one machine


def dev(
    modules: options.Modules = None,
    database: options.Database = None,
    namespace: options.Namespace = None,
    host: options.Host = None,
    port: options.Port = None,
    processes: options.Processes = None,
    nodes: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            max=MOST_NODES,
            help="So many nodes, each a process of its own: a cluster to try out.",
        ),
    ] = 1,
    yes: Annotated[
        bool, typer.Option("--yes", help="Create the schema on a server that is not embedded without asking.")
    ] = False,
) -> None:
    """Run everything for development: PostgreSQL, engine, worker and dashboard.

    Serves the modules' workflows and the test workflow of the dashboard's button. A change of the code is
    loaded as it is saved: running steps get a moment to end, and instances go on where they were, with the
    new code. With --nodes the Cluster page has a button beside each node that kills it.

    Examples:

      orquestrax dev hello.py

      orquestrax dev hello.py --nodes 3

      orquestrax dev shop.flows shop.reports --port 4001
    """
    from orquestrax.cli.supervisor import Supervisor
    from orquestrax.node.signals import Interrupted, run_until_signal
    from orquestrax.web.listening import bind, require_token

    flags: dict[str, str | int | None] = {
        "database": database,
        "namespace": namespace,
        "host": host,
        "port": port,
        "processes": processes,
    }
    settings = settings_of(**flags)
    require_token(settings)
    with bind(settings.host, settings.port) as listening:
        announce(settings)
        if settings.database is not None:
            _see_to_schema(settings, yes=yes)
        supervisor = Supervisor(modules or [], settings, flags, listening, nodes=nodes)
        try:
            status = run_until_signal(supervisor.run)
        except Interrupted:
            say("stopped: what ran goes on at the next start")
            return
    raise typer.Exit(status)


def _see_to_schema(settings: Settings, *, yes: bool) -> None:
    """On somebody's server the schema is created, or brought up to date, only when that is wanted."""
    from orquestrax.core.store.database import Address, visible
    from orquestrax.core.store.migrate import migrate, newest

    assert settings.database is not None
    address = Address(dsn=settings.database, schema=settings.namespace, deadline=settings.deadline)
    present = asyncio.run(_present(address))
    if present >= newest():  # a newer one is refused by the node, with its own sentence
        return
    what = (
        f"{'update' if present else 'create'} the schema {settings.namespace} in {visible(settings.database)}"
    )
    if not yes:
        _ask(what)
    asyncio.run(migrate(address))


async def _present(address: Address) -> int:
    import asyncpg

    from orquestrax.core.store.migrate import schema_version

    try:
        return await schema_version(address)
    except DatabaseError as error:
        if isinstance(error.__cause__, asyncpg.InvalidCatalogNameError):
            return 0
        raise


def _ask(what: str) -> None:
    if not sys.stdin.isatty():
        raise InvalidInput(f"dev would {what}: say so with --yes, or run `orquestrax db migrate` first")
    if not typer.confirm(f"dev would {what}. Go on?", err=True):
        raise typer.Exit(1)
