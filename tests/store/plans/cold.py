"""Statements that need no plan of their own in a schema of a million rows, each with the reason."""

from __future__ import annotations

from typing import Final

_NODES: Final = "one row of `nodes`, by its key"
COLD: Final = {
    "count_freed": _NODES,
    "declare_node": _NODES,
    "drain_nodes": _NODES,
    "end_node": _NODES,
    "register_node": "one row, once in a process start",
    "register_definition": "one row for each definition, once in a process start",
    "list_definitions": "reads `definitions` and `nodes` alone, which are small",
    "guard_transaction": "inserts one row",
    "unguard_transaction": "one row of this transaction's own, by its key",
    "web_now": "reads no table",
}
