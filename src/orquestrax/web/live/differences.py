"""What an open page must do to get from one set of fragments to another. Pure.

A fragment's name is its target, or `table/row` for a row of a table: rows are sent as they change, with the
order in which they stand. They travel apart, since an HTML parser drops a `<tr>` beside a `<div>`.
"""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from orquestrax.web.live.frames import Operation


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[Operation]:
    """The operations, in the order of `after`."""
    changed = {name: html for name, html in after.items() if before.get(name) != html}
    plain = [Operation("morph", name, html) for name, html in changed.items() if "/" not in name]
    orders, orders_before = _orders(after), _orders(before)
    tables = []
    for table in orders_before | orders:
        order = orders.get(table, [])
        rows = [html for name, html in changed.items() if name.startswith(f"{table}/")]
        if rows or order != orders_before.get(table, []):
            tables.append(Operation("rows", table, _table(order, rows)))
    return plain + tables


def _orders(fragments: Mapping[str, str]) -> dict[str, list[str]]:
    orders: dict[str, list[str]] = {}
    for name in fragments:
        table, slash, row = name.partition("/")
        if slash:
            orders.setdefault(table, []).append(row)
    return orders


def _table(order: list[str], rows: list[str]) -> str:
    opening = Markup('<table><tbody data-order="{}">').format(" ".join(order))
    return f"{opening}{''.join(rows)}</tbody></table>"
