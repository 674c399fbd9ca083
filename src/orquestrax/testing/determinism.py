"""Does a workflow's code still do what a history says, here and in other processes?"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from orquestrax.base.errors import InvalidInput, NonDeterminism
from orquestrax.client.client import Client
from orquestrax.client.histories import read_history
from orquestrax.define.rehearsal import Asked, History, compare, rehearse
from orquestrax.define.workflow import Workflow
from orquestrax.node.rechecking.messages import Differs, Unknown
from orquestrax.node.rechecking.process import Process


async def history(client: Client, id: str) -> History:
    """The history of an instance, ended or not, as something that replays anywhere.

        history = await ox.testing.history(client, "order-42")
        Path("order-42.json").write_bytes(history.to_json())

    Raises NotFound; InvalidInput if the instance has not begun yet.
    """
    view = await client.view(id)
    found = await read_history(client.store, view.key)
    if found is None:
        raise InvalidInput(f"{id} has not begun, so there is nothing to replay: wait for a node to start it")
    return found


def replay(workflow: Workflow[..., Any], history: History) -> None:
    """Hold a history against this code, in this process.

    Raises NonDeterminism, with both sides and the line, if the code asks for something else than the history has,
    returns another result, or asks for something else from one replay to the next.

        ox.testing.replay(fulfil, ox.testing.History.from_json(Path("order-42.json").read_bytes()))
    """
    _check(workflow, history)
    if asyncio._get_running_loop() is None:  # noqa: SLF001 - the public one raises where there is none
        rehearse(workflow, history)
        return
    errors: list[BaseException] = []  # workflow code cannot run inside a task: it gets a thread

    def apart() -> None:
        try:
            rehearse(workflow, history)
        except BaseException as error:  # noqa: BLE001 - raised below, where it was asked for
            errors.append(error)

    thread = threading.Thread(target=apart, name="replay")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


async def assert_deterministic(workflow: Workflow[..., Any], history: History, *, seeds: int = 3) -> None:
    """As `replay`, in as many other processes as `seeds` says, each with a hash seed of its own.

    They also have to ask for the same things with the same arguments, so a set whose order got into the work
    shows. The workflow must be declared at the top of a module, where another process finds it.

    Raises NonDeterminism; InvalidInput if the other processes cannot load the workflow.
    """
    _check(workflow, history)
    if seeds < 1:
        raise InvalidInput(f"seeds={seeds}: at least one other process is needed")
    answers = await asyncio.gather(*(asyncio.to_thread(_elsewhere, workflow, history) for _ in range(seeds)))
    for answer in answers[1:]:
        compare(answers[0], answer, "one with another hash seed")


def _check(workflow: Workflow[..., Any], history: History) -> None:
    if not isinstance(workflow, Workflow):
        raise InvalidInput(f"{workflow!r} is not a workflow: decorate the function with @workflow")
    if workflow.name != history.definition:
        raise InvalidInput(
            f"the history of {history.id} is one of {history.definition}, not of {workflow.name}: "
            "hand over the workflow that it belongs to"
        )


def _elsewhere(workflow: Workflow[..., Any], history: History) -> list[Asked]:
    process = Process(idle=False)
    try:
        answer = process.check(workflow, history)
    finally:
        process.close()
    if isinstance(answer, Unknown):
        raise InvalidInput(f"{workflow.name} cannot be replayed in another process: {answer.reason}")
    if isinstance(answer, Differs):
        raise NonDeterminism(
            answer.message,
            recorded=answer.recorded,
            asked=answer.asked,
            file=answer.file,
            line=answer.line,
        )
    return answer.asked
