"""`queues`: what waits in the cluster's queues, and who serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orquestrax.cli import options, output
from orquestrax.cli.session import ask

if TYPE_CHECKING:
    from rich.text import Text

    from orquestrax.client.client import Client
    from orquestrax.client.queues import QueueStatus

COLUMNS: Final = ("queue", "waiting", "running", "oldest", "served by")
EMPTY: Final = "the queues are empty: every step runs on the node of its instance"


def queues(
    as_json: options.Json = False,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """List the queues: steps that wait for a node, that run on one, and the nodes that serve each.

    A step that runs where its instance is never enters a queue, and is not counted here.

    Examples:

      orquestrax queues

      orquestrax queues --json | jq '.[] | select(.waiting > 0 and .served_by == [])'
    """

    async def look(client: Client) -> list[QueueStatus]:
        return await client.queues()

    found = ask(database, namespace, look)
    if as_json:
        output.print_json(found)
        return
    output.print_table(COLUMNS, [_row(queue) for queue in found], empty=EMPTY)


def _row(queue: QueueStatus) -> list[Text | str]:
    from rich.text import Text

    served = ", ".join(queue.served_by)
    return [
        output.plain(queue.queue),
        str(queue.waiting),
        str(queue.running),
        output.moment(queue.oldest),
        output.plain(served) if served else Text("nobody serves it", style="red"),
    ]
