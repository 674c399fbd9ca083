"""A node: settings in, services out. The composition root; there are no globals behind it.

    async with ox.node(modules=[shop]) as client:
        run = await client.start(shop.fulfil, order)

    node         the node itself, and `ox.node`
    incarnation  everything that belongs to one fence, from its registration to its end; with services, all its parts
    part         what the node does for the cluster: roles, code, queues, slots
    logshipper   what its workflows and steps log, on its way to the database; with logcapture and logowners
    program      `ox.run`: a node for as long as one instance takes
    signals      how a process ends
    watchdog     an event loop that no longer turns; with holding, who holds it
    linting      what the linter says, told once
    scrutiny     whether this process watches its workflows closely
    rechecking   what has ended, replayed in a process with another hash seed

A node that was declared dead, or could not renew its lease, drops its memory and comes back as a new incarnation, with
a new fence.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orquestrax.node.node import Node
    from orquestrax.node.options import EngineOptions, engine_options

__all__ = ["EngineOptions", "Node", "engine_options"]

_PLACES = {
    "EngineOptions": "orquestrax.node.options",
    "Node": "orquestrax.node.node",
    "engine_options": "orquestrax.node.options",
}


def __getattr__(name: str) -> Any:
    """Import at first use: `import orquestrax` reaches this package, and is to stay quick."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
