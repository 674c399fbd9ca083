"""`signal`, `cancel` and `terminate`: what one can tell an instance."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orquestrax.cli import options
from orquestrax.cli.failing import say
from orquestrax.cli.session import ask

if TYPE_CHECKING:
    from orquestrax.client.client import Client

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Kept in the history.", show_default=False)]


def signal(
    id_: options.Id,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal's name.", show_default=False)],
    value: Annotated[
        str | None, typer.Argument(metavar="[JSON]", help="Its value; null if left out.", show_default=False)
    ] = None,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Send a signal to an instance.

    Examples:

      orquestrax signal order-42 approval true

      orquestrax signal order-42 note '{"from": "Ada", "text": "go ahead"}'
    """
    decoded = _decoded(name, value)

    async def work(client: Client) -> None:
        run = await client.get(id_)
        await run.signal(name, decoded)

    ask(database, namespace, work)
    say(f"sent {name} to {id_}")


def _decoded(name: str, value: str | None) -> Any:
    """The value of the JSON text. Raises PayloadError, PayloadTooLarge."""
    from orquestrax.base.codec import Codec

    if value is None:
        return None
    codec: Codec[Any] = Codec(Any, where=f"signal {name!r}")
    raw = os.fsencode(value)
    codec.check_size(raw)
    return codec.decode(raw)


def cancel(
    id_: options.Id,
    reason: Reason = "",
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Ask an instance to end: its code is told where it waits, and may clean up.

    Example:

      orquestrax cancel order-42 --reason "ordered twice"
    """

    async def work(client: Client) -> None:
        run = await client.get(id_)
        await run.cancel(reason)

    ask(database, namespace, work)
    say(f"asked {id_} to end")


def terminate(
    id_: options.Id,
    reason: Reason = "",
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """End an instance at once: none of its code runs any more.

    Example:

      orquestrax terminate order-42 --reason "stuck"
    """

    async def work(client: Client) -> None:
        run = await client.get(id_)
        await run.terminate(reason)

    ask(database, namespace, work)
    say(f"told {id_} to end at once")
