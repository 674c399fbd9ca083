"""Clients: they start, send and wait as planned, and note down what they asked and what they heard.

Whoever does not hear asks again with the same ids, as long as that takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orquestrax.base.errors import DatabaseError, InstanceEnded, InvalidState, OrquestraxError
from orquestrax.client.client import Client
from orquestrax.client.handle import Run
from tests.checker import Call
from tests.simulation.flows import FLOWS
from tests.simulation.jobs import Job
from tests.simulation.model.tables import ENDED

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.run import Simulation

TRIES = 100
PATIENCE = 8  # looks, until somebody who was wrongly suspected would have been cleared


def calling(simulation: Simulation, job: Job) -> None:
    """Arrange for everything that this job's client does."""
    started = _note(simulation, job, "start", "")
    simulation.world.after(
        job.at, lambda: _from(simulation, job).run(lambda: _start(simulation, job, started))
    )
    if job.messages:
        notes = [_note(simulation, job, kind, value) for _, kind, value in job.messages]
        simulation.clients.run(lambda: _send_all(simulation.clients.client, simulation, job, notes))


def watching(simulation: Simulation, job: Job) -> None:
    """Somebody looks after an instance that ends nodes: blocked for a while, it is cancelled."""
    simulation.clients.run(lambda: _watch(simulation, job))


async def _watch(simulation: Simulation, job: Job) -> None:
    client, blocked = simulation.clients.client, 0
    while blocked < PATIENCE:
        await asyncio.sleep(5.0)
        with suppress(OrquestraxError):
            view = await client.view(job.id)
            blocked = blocked + 1 if view.status == "blocked" else 0
            if view.status in ENDED:
                return
    call = _note(simulation, job, "cancel", "")
    await _until_heard(call, lambda: _sent(client, call))


def _note(simulation: Simulation, job: Job, kind: str, value: str) -> Call:
    number = sum(call.instance == job.id for call in simulation.calls)
    call = Call(instance=job.id, kind=kind, value=value, message=f"{job.id}:{number}")
    simulation.calls.append(call)
    return call


def _from(simulation: Simulation, job: Job) -> Process:
    """The node that starts it local-first, or whoever is there."""
    node = simulation.nodes[job.by] if job.by >= 0 else None
    return simulation.clients if node is None or node.loop.frozen else node


async def _start(simulation: Simulation, job: Job, call: Call) -> None:
    process = _from(simulation, job)
    client = process.client
    if process is not simulation.clients:  # it may die: somebody else asks again, later
        simulation.world.after(
            5.0, lambda: simulation.clients.run(lambda: _start_again(simulation, job, call))
        )
    await _until_heard(call, lambda: _asked(client, job))


async def _start_again(simulation: Simulation, job: Job, call: Call) -> None:
    if not call.over:
        await _until_heard(call, lambda: _asked(simulation.clients.client, job))


async def _asked(client: Client, job: Job) -> Any:
    flow = FLOWS[job.flow]
    if not job.pending:
        return await client.start(flow, job.input, id=job.id)
    encoded, digest = flow.signature.encode_and_digest((job.input,), {})
    return await client.start_encoded(flow.name, flow.version, encoded, digest, id=job.id)


async def _send_all(client: Client, simulation: Simulation, job: Job, notes: list[Call]) -> None:
    """One sender's messages, in order: none before the one before was heard."""
    for (at, _kind, _value), call in zip(job.messages, notes, strict=True):
        await asyncio.sleep(max(0.0, at - simulation.world.now))
        await _until_heard(call, lambda call=call: _sent(client, call))


async def _sent(client: Client, call: Call) -> None:
    run: Run[Any] = await client.get(call.instance)
    if call.kind == "signal":
        await run.signal("letter", int(call.value), message_id=call.message)
    else:
        order = {"cancel": run.cancel, "terminate": run.terminate, "pause": run.pause, "resume": run.resume}
        await order[call.kind]("enough", message_id=call.message)


async def _until_heard(call: Call, ask: Callable[[], Awaitable[Any]]) -> None:
    """Ask until there is an answer, to whoever asked."""
    for _ in range(TRIES):
        call.tries += 1
        outcome = await _outcome(ask)
        if not call.over:
            call.outcome = outcome
        if call.over:
            return
        await asyncio.sleep(1.0)


async def _outcome(ask: Callable[[], Awaitable[Any]]) -> str:
    try:
        await ask()
    except InstanceEnded:
        return "ended"
    except InvalidState:
        return "pointless"
    except DatabaseError:
        return "unknown"
    except OrquestraxError as error:
        return f"refused: {error}"
    return "ok"
