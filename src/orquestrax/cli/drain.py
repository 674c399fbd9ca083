"""`drain`: tell nodes to end, wherever they run, and wait until they have."""

from __future__ import annotations

import asyncio
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
SLACK: Final = 30.0  # seconds beyond the grace, until a node that has not ended is not waited for any more
OWN: Final = 10.0  # seconds that nodes give their bodies unless told otherwise


def drain(
    node: Annotated[
        list[str] | None,
        typer.Argument(metavar="NODE", help="Its name or number, as `orquestrax nodes` shows them."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All nodes.")] = False,
    grace: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0, help="What running steps have to end in; else as the node says."
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
        await _until_ended(client, [one.fence for one in told], (OWN if grace is None else grace) + SLACK)
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
    """Wait for nodes. Raises OrquestraxError if one of them does not end in time."""
    left = set(fences)
    deadline = asyncio.get_running_loop().time() + at_most
    while left := {
        one.fence for one in await client.store.nodes() if one.fence in left and one.status in LIVES
    }:
        if asyncio.get_running_loop().time() >= deadline:
            numbers = ", ".join(map(str, sorted(left)))
            raise OrquestraxError(
                f"not ended after {at_most:g} s: node {numbers}; does its process still live?"
            )
        await asyncio.sleep(LOOK)
