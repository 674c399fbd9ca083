"""Arguments and flags that several commands share, and what the shell completes them with."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from orquestrax.client.client import Client

COMPLETIONS: Final = 50
PATIENCE: Final = 1.0  # seconds that a completion may take to reach the database


def _completed(query: Callable[[Client], Awaitable[list[str]]]) -> list[str]:
    """What the database offers, if it answers at once; completion never starts a server, and never fails."""
    from orquestrax.client.connect import connected
    from orquestrax.settings import load_settings

    async def main() -> list[str]:
        async with asyncio.timeout(PATIENCE), connected(settings) as client:
            return await query(client)

    try:
        settings = load_settings({"deadline": PATIENCE})
        if settings.database is None and not (settings.home / "postgres/data/postmaster.pid").exists():
            return []
        return asyncio.run(main())
    except Exception:  # noqa: BLE001 - there is nobody to tell
        return []


def complete_ids(incomplete: str) -> list[str]:
    """The ids of the newest instances that begin so."""

    async def query(client: Client) -> list[str]:
        found = await client.list(search=incomplete, limit=COMPLETIONS)
        return [run.id for run in found if run.id.startswith(incomplete)]

    return _completed(query)


def complete_definitions(incomplete: str) -> list[str]:
    """The registered definitions that begin so."""

    async def query(client: Client) -> list[str]:
        names = {definition.name for definition in await client.store.definitions()}
        return sorted(name for name in names if name.startswith(incomplete))

    return _completed(query)


def finite(seconds: float | None) -> float | None:
    """Refuse what is a float and no number of seconds: nan, inf."""
    if seconds is not None and not math.isfinite(seconds):
        raise typer.BadParameter(f"{seconds} is not a number of seconds")
    return seconds


Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="The instance's id.", autocompletion=complete_ids, show_default=False),
]
Modules = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODULE", help="A dotted name (shop.flows) or a path (shop/flows.py).", show_default=False
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="postgresql://user:password@host/name; else the settings decide, else the embedded server.",
        show_default=False,
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The schema, orquestrax unless set otherwise.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Host = Annotated[
    str | None,
    typer.Option(
        metavar="HOST",
        help="Where the dashboard listens, 127.0.0.1 unless set otherwise. Any address that others can reach "
        "needs ORQUESTRAX_TOKEN.",
        show_default=False,
    ),
]
Queues = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="Queues that this node serves, such as a,b:20 with at most 20 steps of b at once; all of them unless "
        "set otherwise.",
        show_default=False,
    ),
]
Slots = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Steps that run here at once, N as coroutines and N in threads; 1,000 and some 10 unless set otherwise.",
        show_default=False,
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Child processes for steps with executor='process', one per core unless set otherwise.",
        show_default=False,
    ),
]
Port = Annotated[
    int | None,
    typer.Option(metavar="PORT", help="The dashboard's port, 4000 unless set otherwise.", show_default=False),
]
