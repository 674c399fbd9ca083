"""A node: settings in, services out. The composition root; there are no globals behind it.

    async with ox.node(modules=[shop]) as client:
        run = await client.start(shop.fulfil, order)

A node that was declared dead drops its memory and comes back as a new incarnation, with a new fence.
"""

from orquestrax.node.incarnation import EngineOptions
from orquestrax.node.node import Node, node

__all__ = ["EngineOptions", "Node", "node"]
