"""`nodes`: who is in the cluster, how busy, and with which code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from orquestrax.base.errors import InvalidInput
from orquestrax.cli import options, output
from orquestrax.cli.session import ask

if TYPE_CHECKING:
    from rich.text import Text

    from orquestrax.client.client import Client
    from orquestrax.client.nodes import NodeStatus
    from orquestrax.core.store.clientverbs import NodeView

COLUMNS: Final = (
    "status", "node", "host", "pid", "roles", "queues", "release", "slots", "held", "heartbeat", "since",
)  # fmt: skip
STYLES: Final = {
    "alive": ("✓", "green"),
    "draining": ("◷", "cyan"),
    "silent": ("↻", "yellow"),
    "dead": ("✗", "red"),
    "ended": ("-", "dim"),
}
EMPTY: Final = "no nodes: start one, `orquestrax dev MODULE` or `orquestrax start MODULE`"
RECENT: Final = 3600_000_000  # microseconds since its end in which a node is listed
EVERY: Final = 1.0  # seconds between two looks


def nodes(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that ended more than an hour ago, of the latest twenty.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing them until Ctrl-C.")] = False,
    as_json: options.Json = False,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """List the nodes of the cluster, and those that ended within the last hour.

    Slots: how many steps run, of how many at once, by executor. Held: instances in memory. Where nodes have
    different code of a definition, lines below say who has which.

    Examples:

      orquestrax nodes --watch

      orquestrax nodes --all --json | jq '.[] | {name, status, definitions}'
    """
    if watch and as_json:
        raise InvalidInput("--watch is for people and --json for programs: use one of them")
    if watch and not sys.stdout.isatty():
        raise InvalidInput("--watch needs a terminal: leave it out, or use --json")

    async def look(client: Client) -> list[NodeView]:
        return [view for view in await client.store.nodes() if everything or _is_recent(view)]

    if watch:
        ask(database, namespace, lambda client: _watch(lambda: look(client)))
        return
    found = ask(database, namespace, look)
    if as_json:
        from orquestrax.client.nodes import NodeStatus

        output.print_json([NodeStatus.of(view) for view in found])
        return
    output.print_table(COLUMNS, _rows(found), empty=EMPTY)
    for line in _different_code(found):
        output.console().print(line)


def _is_recent(view: NodeView) -> bool:
    return view.ended_at is None or view.now - view.ended_at < RECENT


async def _watch(look: Callable[[], Awaitable[list[NodeView]]]) -> None:
    """Until it is interrupted."""
    from rich.console import Group
    from rich.live import Live

    with Live(console=output.console(), auto_refresh=False, screen=False) as live:
        while True:
            found = await look()
            shown = output.table(COLUMNS, _rows(found)) if found else output.plain(EMPTY)
            live.update(Group(shown, *_different_code(found)), refresh=True)
            await asyncio.sleep(EVERY)


def _rows(found: Sequence[NodeView]) -> list[list[Text | str]]:
    from orquestrax.client.nodes import NodeStatus

    return [_row(NodeStatus.of(view)) for view in found]


def _row(node: NodeStatus) -> list[Text | str]:
    from rich.text import Text

    mark, style = STYLES.get(node.status, ("?", ""))
    slots = " ".join(f"{executor} {slots.used}/{slots.total}" for executor, slots in node.slots.items())
    return [
        Text(f"{mark} {node.status}", style=style),
        output.plain(node.name),
        output.plain(node.host),
        str(node.pid),
        output.plain(",".join(node.roles)),
        "all" if node.queues == ["*"] else output.plain(",".join(node.queues)),
        output.plain(node.release),
        output.plain(slots),
        str(node.held),
        output.duration(node.heartbeat_age),
        output.moment(node.since),
    ]


def _different_code(found: Sequence[NodeView]) -> Iterator[Text]:
    """Which node has which version, where they differ."""
    from orquestrax.client.nodes import mixed

    for name, sides in mixed(found).items():
        words = [f"{code.words} on {', '.join(who)}" for code, who in sides.items()]
        yield output.plain(f"different code of {name}: {'; '.join(words)}")
