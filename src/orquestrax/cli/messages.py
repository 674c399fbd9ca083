"""`signal`, `cancel`, `terminate`, `pause` and `resume`: what one can tell an instance."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orquestrax.cli import options
from orquestrax.cli.failing import say
from orquestrax.cli.session import ask

if TYPE_CHECKING:
    from orquestrax.client.client import Client
    from orquestrax.client.handle import Run

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
    _tell(id_, database, namespace, lambda run: run.signal(name, decoded))
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
    _tell(id_, database, namespace, lambda run: run.cancel(reason))
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
    _tell(id_, database, namespace, lambda run: run.terminate(reason))
    say(f"told {id_} to end at once")


def pause(
    id_: options.Id,
    reason: Reason = "",
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Let nothing of an instance start until it is resumed; steps that run may end.

    Example:

      orquestrax pause order-42 --reason "the warehouse is closed"
    """
    _tell(id_, database, namespace, lambda run: run.pause(reason))
    say(f"told {id_} to pause")


def resume(
    id_: options.Id,
    reason: Reason = "",
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Let a paused instance go on: what came and fell due meanwhile happens now.

    Example:

      orquestrax resume order-42
    """
    _tell(id_, database, namespace, lambda run: run.resume(reason))
    say(f"told {id_} to go on")


def _tell(
    id_: str, database: str | None, namespace: str | None, send: Callable[[Run[Any]], Awaitable[None]]
) -> None:
    async def work(client: Client) -> None:
        await send(await client.get(id_))

    ask(database, namespace, work)
