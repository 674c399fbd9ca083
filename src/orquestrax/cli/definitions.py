"""`definitions`: what nodes have registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orquestrax.cli import options, output
from orquestrax.cli.session import ask

if TYPE_CHECKING:
    from orquestrax.client.client import Client
    from orquestrax.core.store.clientverbs import DefinitionView


def definitions(
    as_json: options.Json = False,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """List the definitions that the database knows, and whether a node serves them now.

    Examples:

      orquestrax definitions

      orquestrax definitions --json | jq '.[] | select(.name == "fulfil").input_schema'
    """

    async def work(client: Client) -> list[DefinitionView]:
        return await client.store.definitions()

    found = ask(database, namespace, work)
    if as_json:
        output.print_json([_as_json(definition) for definition in found])
        return
    rows = [
        [
            output.plain(d.name),
            output.plain(d.version),
            "served" if d.served else "no node",
            output.plain(f"{d.file}:{d.line}"),
            output.plain(d.doc.partition("\n")[0]),
        ]
        for d in found
    ]
    empty = "no definitions: start a node that serves some, `orquestrax dev MODULE`"
    output.print_table(("name", "version", "now", "source", ""), rows, empty=empty)


def _as_json(definition: DefinitionView) -> dict[str, Any]:
    """Schemas as values, times as times, without the source's text."""
    from orquestrax.client.views import as_datetime

    return {
        "name": definition.name,
        "version": definition.version,
        "digest": definition.digest,
        "served": definition.served,
        "doc": definition.doc,
        "file": definition.file,
        "line": definition.line,
        "registered_at": as_datetime(definition.registered_at),
        "input_schema": msgspec.json.decode(definition.input_schema),
        "output_schema": msgspec.json.decode(definition.output_schema),
    }
