"""What PostgreSQL did with a statement: which indexes it read, and how many pages it touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from orquestrax.core.store.statements import statement
from tests.store.plans.filling import LARGE

CUSTOM_RUNS: Final = 5  # of a prepared statement; what comes after may be the generic plan


@dataclass(frozen=True)
class Seen:
    """Of one execution: indexes read, large tables read whole, pages touched."""

    indexes: frozenset[str]
    scanned: frozenset[str]
    pages: int

    def __str__(self) -> str:
        whole = f", reads {sorted(self.scanned)} whole" if self.scanned else ""
        return f"{sorted(self.indexes)}, {self.pages} pages{whole}"


class Session:
    """A connection with prepared statements on it."""

    def __init__(self, connection: asyncpg.Connection, schema: str) -> None:
        self._connection, self._schema = connection, schema

    async def prepare(self, name: str) -> None:
        """As a driver does at the first use."""
        await self._connection.execute(f"prepare {name} as {statement(self._schema, name)}")

    async def run(self, name: str, arguments: tuple[Any, ...], times: int, opening: str = "") -> None:
        """Run it and take it back, several times."""
        for _ in range(times):
            async with self._undone(opening):
                await self._connection.execute(_execute(name, arguments))

    async def explain(self, name: str, arguments: tuple[Any, ...], opening: str = "") -> Seen:
        """Run it once more, look at what happened, and take it back."""
        async with self._undone(opening):
            text = await self._connection.fetchval(
                f"explain (analyze, buffers, format json) {_execute(name, arguments)}"
            )
        plan = json.loads(text)[0]["Plan"]
        nodes = list(_nodes(plan))
        return Seen(
            frozenset(node["Index Name"] for node in nodes if "Index Name" in node and _is_of_large(node)),
            frozenset(
                node["Relation Name"]
                for node in nodes
                if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
            ),
            plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
        )

    def _undone(self, opening: str) -> _Undone:
        return _Undone(self._connection, opening)


class _Undone:
    """A transaction that is taken back."""

    def __init__(self, connection: asyncpg.Connection, opening: str) -> None:
        self._connection, self._opening = connection, opening

    async def __aenter__(self) -> None:
        await self._connection.execute(f"begin; {self._opening}")

    async def __aexit__(self, *exception: object) -> None:
        await self._connection.execute("rollback")


def _is_of_large(node: dict[str, Any]) -> bool:
    return str(node["Index Name"]).split("_", 1)[0] in LARGE


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _execute(name: str, arguments: tuple[Any, ...]) -> str:
    listed = ", ".join(_literal(argument) for argument in arguments)
    return f"execute {name} ({listed})" if arguments else f"execute {name}"


def _literal(value: Any) -> str:
    """A value as text of no type, which PostgreSQL takes for what the parameter is."""
    if value is None:
        return "null"
    return "'" + _text(value).replace("'", "''") + "'"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "{" + ",".join(_element(element) for element in value) + "}"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _element(value: Any) -> str:
    if value is None:
        return "null"
    return str(value) if isinstance(value, int | UUID) else json.dumps(_text(value))
