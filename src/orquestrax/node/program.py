"""`ox.run(workflow, …)`: a program that runs one instance to its end, over many process starts if need be.

The process is a node that serves the workflow's module. Ctrl-C (or SIGTERM) stops it at once: running steps
are cut short, and run again when the program does. A start that was made before is found again by its id or,
without one, by being unfinished, made by `ox.run` and with the same input.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from typing_extensions import TypeVarTuple, Unpack

from orquestrax.base.errors import BlockingCall, InvalidInput, NonDeterminism
from orquestrax.base.ids import check_id
from orquestrax.client.client import Client
from orquestrax.client.handle import Run
from orquestrax.client.watch import is_stuck, watch
from orquestrax.core.store.clientverbs import InstanceView
from orquestrax.define.catalogue import collect
from orquestrax.define.workflow import Workflow
from orquestrax.model.events import STEP_COMPLETED, Blocked
from orquestrax.model.states import TERMINAL
from orquestrax.node.node import Node
from orquestrax.node.options import engine_options
from orquestrax.node.signals import Interrupted, run_until_signal
from orquestrax.settings import load_settings

Ts = TypeVarTuple("Ts")
R = TypeVar("R")
CREATED_BY: Final = "ox.run"
OPEN: Final = ("pending", "running", "waiting", "paused")


def run(
    workflow: Callable[[Unpack[Ts]], Coroutine[Any, Any, R]],
    /,
    *args: *Ts,
    id: str | None = None,
    database: str | None = None,
    namespace: str | None = None,
) -> R:
    """Run the workflow in this process until its result is there, and return it.

    Stopped in the middle, by Ctrl-C or any other way, the program goes on where it was when it is run again:
    steps that are done stay done. While another process runs the same id, this one waits for the same result.

    Raises WorkflowFailed, WorkflowCancelled, WorkflowTerminated; NonDeterminism if the code was changed so
    that it does not fit what the instance has done; Conflict if the id has another input; SystemExit(130) at
    Ctrl-C.
    """
    if asyncio._get_running_loop() is not None:  # noqa: SLF001 - the public one raises where there is none
        raise BlockingCall("ox.run(…) would stop this thread's event loop: use `async with ox.node(…)`")
    if not isinstance(workflow, Workflow):
        raise InvalidInput(f"{workflow!r} is not a workflow: decorate the function with @workflow")
    program = _Program(workflow, args, None if id is None else check_id(id))
    settings = load_settings({"database": database, "namespace": namespace}, said="argument ")
    served = collect([sys.modules[workflow.fn.__module__]], [workflow]).workflows
    try:
        options = engine_options(settings, exits=threading.current_thread() is threading.main_thread())
        node = functools.partial(Node, settings, served, created_by=CREATED_BY, options=options)
        result: R = run_until_signal(lambda: program.main(node()))
    except Interrupted as stop:
        _tell(program.farewell)
        raise SystemExit(stop.exit_code) from None
    return result


class _Program:
    """One call of `ox.run`."""

    def __init__(self, workflow: Workflow[..., Any], args: tuple[Any, ...], id_: str | None) -> None:
        self._workflow, self._args, self._id = workflow, args, id_
        self.farewell = "stopped before anything was started"

    async def main(self, node: Node) -> Any:
        """Start or resume, and wait."""
        client = await node.start()
        try:
            there = await (self._same_input(node) if self._id is None else client.store.by_id(self._id))
            id_ = there.id if there is not None else self._id
            run = await client.start(self._workflow, *self._args, id=id_)
            self.farewell = f"stopped: {run.id} has kept what it did, run this again and it goes on"
            if there is not None:
                _tell(await _greeting(node, there))
            return await _result(client, run)
        finally:
            await node.stop(grace=0)

    async def _same_input(self, node: Node) -> InstanceView | None:
        """The newest instance that an earlier run of this program left unfinished and nobody works on."""
        signature = self._workflow.signature
        digest = signature.digest(signature.encode(self._args, {}))
        found = await node.client.store.list(statuses=OPEN, definition=self._workflow.name, limit=1000)
        for view in found:
            if view.created_by == CREATED_BY and view.digest == digest and view.owner in (None, node.fence):
                return view
        return None


async def _greeting(node: Node, there: InstanceView) -> str:
    """What is to be said of an instance that was there already; steps that this process did do not count."""
    if there.status in TERMINAL:
        return f"{there.id} was {there.status} already: for another run give another id"
    if there.owner not in (None, node.fence):
        return f"{there.id} runs on {there.node}: waiting for its result"
    history = await node.client.history(there.id)
    done = sum(event.type == STEP_COMPLETED and event.data["node"] != node.name for event in history)
    return f"resumed {there.id}: {done} step{'' if done == 1 else 's'} already done"


async def _result(client: Client, run: Run[R]) -> R:
    async with aclosing(watch(client, run.key)) as views:
        async for view in views:
            if is_stuck(view):
                _refuse(run.id, view.blocked)
    return await run.result()


def _refuse(id_: str, blocked: str | None) -> NoReturn:
    found = msgspec.json.decode(blocked or b"{}", type=Blocked)
    raise NonDeterminism(
        f"{id_} cannot go on with this code: {found.message}; undo the change, or give another id",
        recorded=found.recorded,
        asked=found.asked,
        file=found.file,
        line=found.line,
    )


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - a program of the user's, told on its stderr
