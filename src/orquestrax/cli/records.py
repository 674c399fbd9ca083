"""`logs`: what an instance has logged."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from orquestrax.cli import options, output
from orquestrax.cli.failing import printable
from orquestrax.cli.session import ask

if TYPE_CHECKING:
    from orquestrax.client.client import Client
    from orquestrax.client.logs import LogEntry

PAGE: Final = 10_000


def logs(
    id_: options.Id,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the instance has ended.")
    ] = False,
    level: Annotated[
        str, typer.Option(metavar="LEVEL", help="The least level: INFO, WARNING, ERROR …", show_default=False)
    ] = "DEBUG",
    step: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only of this step; - for the workflow.", show_default=False),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout: an array, with --follow a line for each.")
    ] = False,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Print what an instance and its steps have logged, at INFO and above.

    Examples:

      orquestrax logs order-42 --follow

      orquestrax logs order-42 --step charge --level warning
    """
    from orquestrax.client.following import follow as following
    from orquestrax.client.logs import level_of

    level_of(level)

    async def everything(client: Client) -> list[LogEntry]:
        found: list[LogEntry] = []
        while page := await client.logs(
            id_, after=found[-1].number if found else 0, level=level, step=step, limit=PAGE
        ):
            found += page
        return found

    async def live(client: Client) -> None:
        run = await client.get(id_)
        async with aclosing(following(client, run.key, level=level, step=step)) as coming:
            async for entry in coming:
                sys.stdout.write(f"{msgspec.json.encode(entry).decode()}\n" if as_json else told(entry))
                sys.stdout.flush()

    if follow:
        ask(database, namespace, live)
        return
    found = ask(database, namespace, everything)
    if as_json:
        output.print_json(found)
    else:
        sys.stdout.write("".join(map(told, found)))


def told(entry: LogEntry) -> str:
    """A record as lines: time, level, step and attempt, message; what follows is indented."""
    attempt = f" #{entry.attempt}" if entry.attempt > 1 else ""
    head = f"{output.moment(entry.at)}  {entry.level:<8} {entry.step}{attempt}  "
    first, *rest = entry.message.splitlines() or [""]
    rest += (entry.traceback or "").splitlines()
    return "".join(f"{printable(line)}\n" for line in (head + first, *(f"    {line}" for line in rest)))
