"""`start`: a node of a cluster, in the foreground."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Final

import typer

from orquestrax.base.errors import InvalidInput
from orquestrax.cli import options
from orquestrax.cli.failing import say
from orquestrax.cli.session import announce, settings_of

if TYPE_CHECKING:
    import socket

    from orquestrax.define.catalogue import Catalogue
    from orquestrax.settings import Settings

ROLES: Final = ("engine", "worker", "web")
GRACE: Final = 10.0  # seconds that running steps have to end when the node is told to


def start(
    modules: options.Modules = None,
    roles: Annotated[
        str,
        typer.Option(metavar="LIST", help="What this node does: engine, worker and web, or some of them."),
    ] = ",".join(ROLES),
    database: options.Database = None,
    namespace: options.Namespace = None,
    host: options.Host = None,
    port: options.Port = None,
    queues: options.Queues = None,
    slots: options.Slots = None,
    processes: options.Processes = None,
    grace: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0,
            callback=options.finite,
            help="What running steps have to end in when it stops.",
        ),
    ] = GRACE,
) -> None:
    """Run a node that serves the modules' workflows, until Ctrl-C, SIGTERM or `orquestrax drain`.

    It then starts nothing more, running steps get some time to end, and what is left goes on wherever a node serves
    it. A second signal ends it at once.

    Examples:

      orquestrax start shop.flows --database postgresql://app@db.example.org/orders

      orquestrax start shop.flows --roles worker --queues warehouse,mail:20 --slots 100

      orquestrax start --roles web --host 0.0.0.0
    """
    from orquestrax.cli.logs import log_to_stderr
    from orquestrax.node.signals import Interrupted, run_until_signal
    from orquestrax.web.listening import bind, require_token

    chosen = _roles(roles)
    settings = settings_of(
        database=database,
        namespace=namespace,
        host=host,
        port=port,
        queues=queues,
        slots=slots,
        processes=processes,
    )
    if "web" in chosen:
        require_token(settings)
    code = _code(modules or [], chosen)
    with bind(settings.host, settings.port) if "web" in chosen else nullcontext() as listening:
        announce(settings)
        log_to_stderr()
        try:
            run_until_signal(lambda: _serve(settings, code, chosen, listening, grace))
        except Interrupted:
            say("stopped")


def _roles(given: str) -> list[str]:
    chosen = [role.strip() for role in given.split(",")]
    for role in chosen:
        if role not in ROLES:
            raise InvalidInput(f"there is no role {role!r}: use {', '.join(ROLES)}")
    return chosen


def _code(modules: list[str], roles: list[str]) -> Catalogue:
    """What the modules define. Raises InvalidInput if the node would have nothing to do."""
    from orquestrax.define.catalogue import collect, load_modules

    if not modules and "engine" in roles:
        raise InvalidInput("an engine serves modules: name them, such as `orquestrax start shop.flows`")
    if not modules and "worker" in roles:
        raise InvalidInput("a worker runs steps of modules: name them, such as `orquestrax start shop.flows`")
    code = collect(load_modules(modules))
    if "engine" in roles and not code.workflows:
        raise InvalidInput(f"there is no workflow in {', '.join(modules)}: decorate one with @workflow")
    if "worker" in roles and not code.workflows and not code.steps:
        raise InvalidInput(f"there is no step in {', '.join(modules)}: decorate one with @step")
    return code


async def _serve(
    settings: Settings,
    code: Catalogue,
    roles: list[str],
    listening: socket.socket | None,
    grace: float,
) -> None:
    from orquestrax.node.serving import serving

    whole = serving(settings, code.workflows, steps=code.steps, roles=roles, grace=grace, listening=listening)
    async with whole as (node, web):
        at = f", dashboard at {web.url}" if web is not None else ""
        served = (
            f" serves {', '.join(sorted(code.workflows))}" if code.workflows and "engine" in roles else ""
        )
        if "worker" in roles and settings.queues.names is not None:
            served += f" runs steps of {', '.join(settings.queues.shown)}"
        say(f"{node.name or 'this node'}{served} ({', '.join(roles)}){at}; Ctrl-C stops it")
        await node.drained.wait()  # or until a signal cancels it
    say("drained")
