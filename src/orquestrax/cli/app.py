"""The commands of `orquestrax`, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from orquestrax.base.release import RELEASE
from orquestrax.cli import (
    database,
    definitions,
    dev,
    drain,
    init,
    instances,
    messages,
    nodes,
    queues,
    records,
    run,
    shell,
    start,
)

HELP = """Durable workflows in plain asyncio, on PostgreSQL.

Try it: `orquestrax init`, then `orquestrax dev hello.py`, and open http://localhost:4000.

Settings come from flags, ORQUESTRAX_* variables, orquestrax.toml and defaults, in this order."""

app = typer.Typer(
    name="orquestrax",
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
WORK, WATCH, STEER, SET_UP = "Run", "Watch", "Steer", "Set up"

app.command("dev", rich_help_panel=WORK)(dev.dev)
app.command("start", rich_help_panel=WORK)(start.start)
app.command("run", rich_help_panel=WORK)(run.run)
app.command("list", rich_help_panel=WATCH)(instances.list_)
app.command("show", rich_help_panel=WATCH)(instances.show)
app.command("events", rich_help_panel=WATCH)(instances.events)
app.command("logs", rich_help_panel=WATCH)(records.logs)
app.command("definitions", rich_help_panel=WATCH)(definitions.definitions)
app.command("nodes", rich_help_panel=WATCH)(nodes.nodes)
app.command("queues", rich_help_panel=WATCH)(queues.queues)
app.command("drain", rich_help_panel=STEER)(drain.drain)
app.command("signal", rich_help_panel=STEER)(messages.signal)
app.command("pause", rich_help_panel=STEER)(messages.pause)
app.command("resume", rich_help_panel=STEER)(messages.resume)
app.command("cancel", rich_help_panel=STEER)(messages.cancel)
app.command("terminate", rich_help_panel=STEER)(messages.terminate)
app.add_typer(database.app, name="db", rich_help_panel=SET_UP)
app.command("shell", rich_help_panel=SET_UP)(shell.shell)
app.command("init", rich_help_panel=SET_UP)(init.init)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the release and exit.")] = False,
) -> None:
    """What there is without a command: the release, or the help."""
    if version:
        typer.echo(f"orquestrax {RELEASE}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


root.__doc__ = HELP
