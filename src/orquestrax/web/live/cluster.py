"""The Cluster page: read together, shown in parts."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from orquestrax.core.store.clientverbs import ClientStore, NodeView
from orquestrax.core.store.taskverbs import queues_of
from orquestrax.core.store.webverbs import WebStore
from orquestrax.web.context import Neighbours, WebContext
from orquestrax.web.live.topics import Fragments
from orquestrax.web.render import fragment
from orquestrax.web.views.cluster import Cluster, Spread, cluster, spread_of

PARTS = ("summary", "mixed", "spread", "cards", "queues", "happenings", "gone")


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster, and how the steps of one instance are spread over it; `base` is the prefix for links."""

    base: str
    run: UUID | None = None


class ClusterSource:
    """Heartbeats are no hints: nodes are looked at once a second, and as steps end, twice."""

    every: float = 0.5

    def __init__(self, context: WebContext) -> None:
        self._context = context

    def concerns(self, view: ClusterView, keys: frozenset[UUID]) -> bool:
        """Instances change without a change of nodes."""
        return view.run in keys

    async def look(self, views: Sequence[ClusterView]) -> Mapping[ClusterView, tuple[int, Fragments]]:
        """The parts of each page."""
        found = {view: await read_cluster(self._context, view.run) for view in views}
        return {
            view: (
                shown.now,
                {
                    f"cluster-{part}": fragment(f"nodes/{part}.html", view.base, c=shown, clock=None)
                    for part in PARTS
                },
            )
            for view, shown in found.items()
        }


async def read_cluster(context: WebContext, run: UUID | None) -> Cluster:
    """Nodes, takeovers, and the spread of an instance, as they are now."""
    store, reads = context.store, context.reads
    nodes = await store.nodes()
    dead = [node.fence for node in nodes if node.status == "dead"]
    return cluster(
        nodes,
        await store.takeovers(dead) if dead else [],
        now=await reads.now(),
        killable={node.fence for node in nodes if may_be_killed(node, context.neighbours)},
        queues=await queues_of(store.database),
        spread=None if run is None else await _spread(store, reads, run, nodes),
    )


def may_be_killed(node: NodeView, neighbours: Neighbours | None) -> bool:
    """Whether this is a living node that `dev` has started here."""
    return (
        neighbours is not None
        and node.ended_at is None
        and node.host == socket.gethostname()
        and node.pid in neighbours.pids
    )


async def _spread(store: ClientStore, reads: WebStore, key: UUID, nodes: Sequence[NodeView]) -> Spread | None:
    rows = await store.by_key([key])
    if not rows:
        return None
    asked, steps = await reads.steps_by_node(key)
    working = {node.name for node in nodes if node.ended_at is None}
    return spread_of(rows[0], asked, steps, working)
