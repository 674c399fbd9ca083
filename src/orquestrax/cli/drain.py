"""`drain`: tell nodes to end, wherever they run, and wait until they have."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from orquestrax.base.errors import InvalidInput, NotFound, OrquestraxError
from orquestrax.cli import options
from orquestrax.cli.failing import say
from orquestrax.cli.session import ask

if TYPE_CHECKING:
    from orquestrax.client.client import Client
    from orquestrax.core.store.clientverbs import NodeView

LIVES: Final = ("alive", "draining")
LOOK: Final = 0.2  # seconds between looks
SLACK: Final = 30.0  # seconds beyond the grace or the lease, until a node that has not ended is given up
SECOND: Final = 1_000_000  # µs


def drain(
    node: Annotated[
        list[str] | None,
        typer.Argument(metavar="NODE", help="Its name or number, as `orquestrax nodes` shows them."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All nodes.")] = False,
    grace: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            callback=options.finite,
            help="What running steps have to end in; else as the node says.",
        ),
    ] = None,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Let nodes end: they start nothing more, end or hand over what they run, and exit with status 0.

    Any node can be told from anywhere; this waits until all of them have ended.

    Examples:

      orquestrax drain app-7

      orquestrax drain --all --grace 60
    """
    if bool(node) == everything:
        raise InvalidInput("name the nodes that are to end, or say --all; `orquestrax nodes` shows them")

    async def work(client: Client) -> None:
        told = _chosen(await client.store.nodes(), node or [])
        names = await client.store.drain([one.fence for one in told], grace)
        say(f"told {', '.join(sorted(names)) or 'nobody'} to drain")
        # A grace of the node's own is known to itself alone: as long as it beats it is waited for.
        await _until_ended(client, [one.fence for one in told], math.inf if grace is None else grace + SLACK)
        say("ended")

    ask(database, namespace, work)


def _chosen(nodes: Sequence[NodeView], wanted: Sequence[str]) -> list[NodeView]:
    """The live nodes of these names or numbers, all of them without any. Raises NotFound."""
    live = [one for one in nodes if one.status in LIVES]
    if not wanted:
        return live
    found = [one for one in live if one.name in wanted or str(one.fence) in wanted]
    known = {one.name for one in found} | {str(one.fence) for one in found}
    for name in wanted:
        if name not in known:
            there = ", ".join(sorted(one.name for one in live)) or "none"
            raise NotFound(f"there is no live node {name!r}: live are {there}")
    return found


async def _until_ended(client: Client, fences: Sequence[int], at_most: float) -> None:
    """Wait for nodes. Raises OrquestraxError if one takes longer (s), or shows no sign of life any more."""
    deadline = asyncio.get_running_loop().time() + at_most
    while left := [one for one in await client.store.nodes() if one.fence in fences and one.status in LIVES]:
        if asyncio.get_running_loop().time() >= deadline:
            raise OrquestraxError(f"not ended after {at_most:g} s: {_names(left)}; does its process hang?")
        if silent := [one for one in left if one.now - one.seen_at > (one.lease + SLACK) * SECOND]:
            raise OrquestraxError(
                f"not ended, and without a sign of life: {_names(silent)}; does its process still live?"
            )
        await asyncio.sleep(LOOK)


def _names(nodes: Sequence[NodeView]) -> str:
    return ", ".join(sorted(one.name for one in nodes))
