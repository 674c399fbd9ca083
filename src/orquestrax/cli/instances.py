"""`list`, `show` and `events`: what there is, how one stands, what has happened to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orquestrax.base.errors import InvalidInput
from orquestrax.base.ids import check_text
from orquestrax.cli import options, output
from orquestrax.cli.session import ask
from orquestrax.model.states import TRANSITIONS

if TYPE_CHECKING:
    from orquestrax.client.client import Client
    from orquestrax.client.views import HistoryEvent, RunStatus

MOST = 10_000


def list_(
    status: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATUS", help="Only these; may be repeated.", autocompletion=lambda: list(TRANSITIONS)
        ),
    ] = None,
    definition: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Only of this definition.", autocompletion=options.complete_definitions
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only ids that begin so; of the newest 10,000, that hold it."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="At most so many.")] = 50,
    as_json: options.Json = False,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """List instances, the newest first.

    Examples:

      orquestrax list --status failed --status blocked

      orquestrax list --definition fulfil --json | jq -r '.[].id'
    """
    for name in status or ():
        if name not in TRANSITIONS:
            raise InvalidInput(f"there is no status {name!r}: use {', '.join(TRANSITIONS)}")
    for text, what in ((definition, "a definition's name"), (search, "the text to search")):
        if text is not None:
            check_text(text, what)

    async def work(client: Client) -> list[RunStatus]:
        return await client.list(status=status or None, definition=definition, search=search, limit=limit)

    found = ask(database, namespace, work)
    if as_json:
        output.print_json([_as_json(run) for run in found])
        return
    rows = [[*_row(run)] for run in found]
    output.print_table(("status", "id", "definition", "created", "took", ""), rows, empty="no instances")


def _as_json(run: RunStatus) -> RunStatus:
    return replace(run, waits=[output.with_times(wait) for wait in run.waits])


def _row(run: RunStatus) -> list[Any]:
    took = run.ended_at - run.started_at if run.ended_at and run.started_at else None
    return [
        output.status_text(run.status),
        output.plain(run.id),
        output.plain(run.definition),
        output.moment(run.created_at),
        output.duration(took),
        output.plain(_remark(run)),
    ]


def _remark(run: RunStatus) -> str:
    """What is most worth knowing: why it failed or is stuck, else what it waits for."""
    if run.error:
        return f"{run.error.get('type', '')}: {run.error.get('message', '')}".splitlines()[0]
    if run.blocked:
        return str(run.blocked.get("message", ""))
    return ", ".join(_wait(wait) for wait in run.waits[:3])


def _wait(wait: dict[str, Any]) -> str:
    return f"{wait['kind']} {wait['name']}".rstrip()


def show(
    id_: options.Id,
    as_json: options.Json = False,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Show how an instance stands: status, input, result, error, what it waits for.

    Examples:

      orquestrax show order-42

      orquestrax show order-42 --json | jq .result
    """

    async def work(client: Client) -> RunStatus:
        run = await client.get(id_)
        return await run.status()

    run = ask(database, namespace, work)
    if as_json:
        output.print_json(_as_json(run))
        return
    output.print_facts(_facts(run))


def _facts(run: RunStatus) -> list[tuple[str, Any]]:
    """Names and values of what there is to tell."""
    version = f" version {run.version}" if run.version else ""
    took = run.ended_at - run.started_at if run.ended_at and run.started_at else None
    facts: list[tuple[str, Any]] = [
        ("id", output.plain(run.id)),
        ("definition", output.plain(f"{run.definition}{version}")),
        ("status", output.status_text(run.status)),
        ("created", f"{output.moment(run.created_at)} UTC by {run.created_by or 'unknown'}"),
        ("started", output.moment(run.started_at)),
        ("ended", output.moment(run.ended_at) + (f" after {output.duration(took)}" if took else "")),
        ("times out", "" if run.ended_at else output.moment(run.deadline)),
        ("node", output.plain(run.node or "")),
        *(("waits for", output.plain(_wait_in_full(wait))) for wait in run.waits),
        ("blocked", output.plain(str((run.blocked or {}).get("message", "")))),
        ("input", output.plain(output.compact(run.input))),
        ("result", output.plain(output.compact(run.result)) if run.status == "completed" else ""),
        ("error", output.plain(_error(run.error))),
    ]
    return [fact for fact in facts if str(fact[1])]


def _wait_in_full(wait: dict[str, Any]) -> str:
    at = f" at {wait['file']}:{wait['line']}" if wait.get("file") else ""
    return f"{_wait(wait)}{at}"


def _error(error: dict[str, Any] | None) -> str:
    if not error:
        return ""
    trace = str(error.get("traceback", "")).rstrip()
    return f"{error.get('type', '')}: {error.get('message', '')}" + (f"\n{trace}" if trace else "")


def events(
    id_: options.Id,
    as_json: options.Json = False,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Print the history of an instance, event by event.

    Examples:

      orquestrax events order-42

      orquestrax events order-42 --json | jq '.[] | select(.type == "step_retrying")'
    """

    async def work(client: Client) -> list[HistoryEvent]:
        return await client.history(id_)

    history = ask(database, namespace, work)
    if as_json:
        output.print_json([replace(event, data=output.with_times(event.data)) for event in history])
        return
    from orquestrax.cli.story import told

    rows = ((str(e.seq), output.moment(e.at), e.type, output.plain(told(e.type, e.data))) for e in history)
    output.print_table(("seq", "at (UTC)", "event", ""), rows, empty="no events")
