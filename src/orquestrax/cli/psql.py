"""`db psql`: PostgreSQL's own prompt on the database."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, urlsplit

import typer

from orquestrax.base.errors import NotFound
from orquestrax.cli import options
from orquestrax.cli.session import reach, settings_of

if TYPE_CHECKING:
    from orquestrax.core.store.database import Address


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

    raise typer.Exit(reach(settings, work))


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
