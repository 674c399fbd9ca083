"""The verdict on one simulation: the checker's, and what only somebody who sees everything can know."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from orquestrax.core.store.clientverbs import EventView, InstanceView
from orquestrax.core.store.deaths import Death
from orquestrax.model import events
from orquestrax.model.events import Event
from tests.checker import Body, check_bodies, check_calls, check_history, ran, replay_again
from tests.simulation.flows import FLOWS
from tests.simulation.incarnation import LEASE, UPKEEP
from tests.simulation.model.tables import ENDED
from tests.simulation.world import EPOCH

BOUND = 4  # nodes: two in company, two trials, of which another suspect may have spoilt one

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


def judge(simulation: Simulation) -> list[str]:
    """Every broken promise, one sentence each."""
    return [
        *_starts(simulation),
        *_instances(simulation),
        *_deaths(simulation),
        *_poison(simulation),
        *_upkeep(simulation),
    ]


def _starts(simulation: Simulation) -> Iterator[str]:
    """I1: an acknowledged start is there; all were acknowledged in the end, and everything ended (I23)."""
    ids = {row["id"] for row in simulation.database.dump()["instances"]}
    for call in simulation.calls:
        if call.kind == "start" and call.outcome == "ok" and call.instance not in ids:
            yield f"I1: the start of {call.instance} was acknowledged and is lost"
        if not call.over:
            yield f"I23: {call.kind} {call.message} got no answer ({call.outcome or 'never asked'})"


def _instances(simulation: Simulation) -> Iterator[str]:
    dump = simulation.database.dump()
    known = {call.instance for call in simulation.calls}
    for row in dump["instances"]:
        if row["status"] not in ENDED:
            yield f"I23: {row['id']} is {row['status']} and does not heal (owner {row['owner']}, {row['wake_at']})"
            continue
        try:
            _check(simulation, row, dump)
        except Exception as error:
            yield f"{row['id']}: {error or type(error).__name__}"
    for body in simulation.effects.bodies:
        if body.instance not in known or body.instance not in {row["id"] for row in dump["instances"]}:
            yield f"I8: {body.token} ran for an instance that is not stored"


def _check(simulation: Simulation, row: dict[str, Any], dump: Any) -> None:
    view = InstanceView(**{name: row.get(name) for name in InstanceView.__struct_fields__})
    stored = [EventView(**event) for event in dump["events"].get(row["key"], ())]
    history = check_history(view, stored, dump["inbox"].get(row["key"], ()))
    bodies = [body for body in simulation.effects.bodies if body.instance == row["id"]]
    refused = row["key"] in simulation.server.refused
    check_bodies(
        history, bodies, faultless=simulation.plan.faultless, refused=refused, lost=partial(_lost, simulation)
    )
    _check_interruptions(simulation, row, history)
    calls = [call for call in simulation.calls if call.instance == row["id"]]
    check_calls(history, calls, view.status)
    if ran(view, history):
        replay_again(FLOWS[view.definition], view, history)


def _lost(simulation: Simulation, body: Body) -> float:
    """When this body was lost: its node is dead, or was told to end and has waited for it in vain."""
    cut = simulation.effects.cut.get(body.token)
    if cut is not None and cut >= _out_of_grace(simulation, body.node):
        return min(_gone(simulation, body.node), simulation.server.witnesses.released.get(body.node, inf))
    return _gone(simulation, body.node)


def _gone(simulation: Simulation, fence: int) -> float:
    return simulation.server.witnesses.lost.get(fence, inf)


def _out_of_grace(simulation: Simulation, fence: int) -> float:
    """When the bodies of a node that was told to end have no more time."""
    process = next(node for node in simulation.effects.nodes.values() if fence in node.fences)
    return inf if process.leaving is None else process.leaving + round(process.grace * 1_000_000)


def _check_interruptions(simulation: Simulation, row: dict[str, Any], history: list[Event]) -> None:
    """I8: an at-most-once step is interrupted by a loss alone. I18: who is convicted has ended nodes."""
    for event in history:
        ended = events.decode(event) if event.type in (events.STEP_FAILED, events.STEP_KEPT) else None
        error = b"" if ended is None or ended.error is None else bytes(ended.error)
        if b'"StepInterrupted"' not in error:
            continue
        if b"nodes in a row" in error:
            assert simulation.effects.kills[row["id"]], (
                f"I18: step {ended.step} was convicted and has ended no node"
            )
            continue
        fence = int(ended.node.rpartition("-")[2])
        released = simulation.server.witnesses.released.get(fence, 0)
        refused = row["key"] in simulation.server.refused  # then its node forgot it, and the body with it
        lost = _gone(simulation, fence) <= event.at or released >= _out_of_grace(simulation, fence)
        assert lost or refused, f"I8: command {ended.command} was interrupted, and {ended.node} was not lost"


def _poison(simulation: Simulation) -> Iterator[str]:
    """I18: who ends nodes is stopped at the third of them, or as soon as it is tried alone, wherever it runs."""
    for instance, kills in simulation.effects.kills.items():
        if kills > BOUND:
            yield f"I18: {instance} has ended {kills} nodes"


def _upkeep(simulation: Simulation) -> Iterator[str]:
    """Somebody sweeps while there are nodes, and nothing is left in the queues."""
    since = EPOCH + round((simulation.plan.calm_at + LEASE + 2 * UPKEEP) * 1_000_000)
    if simulation.world.time > since and not any(
        swept > simulation.world.time - (LEASE + 2 * UPKEEP) * 1_000_000
        for swept in simulation.server.witnesses.swept
    ):
        yield "nobody sweeps any more"
    left = simulation.database.dump()["tasks"]
    if left and all(status in ENDED for status in simulation.database.statuses()):
        yield f"{left} tasks are left of instances that have ended"


def _deaths(simulation: Simulation) -> Iterator[str]:
    """I14: only a lease of silence, or a process that is known to be gone, is a death."""
    beats: dict[str, int] = {}
    for now, _process, label, answer in simulation.trace.lines:
        verb, *about = label.split(" ")
        if verb == "heartbeat" and answer:
            beats[about[0]] = now
        elif verb == "declare" and isinstance(answer, Death):
            fence, cause = about
            silent = silence(simulation.faults.outages, beats.get(fence, 0), now)
            if (cause == "silent" and silent < LEASE) or (cause == "gone" and fence not in simulation.gone):
                yield f"I14: node {fence} was declared dead after {silent:.1f} s of silence"


def silence(outages: list[tuple[int, int]], since: int, until: int) -> float:
    """Seconds without a heartbeat; those count in which the database was there. Outages may overlap."""
    silent, counted = 0, since
    for start, end in sorted(outages):
        silent += max(0, min(until, start) - counted)
        counted = max(counted, end)
    return (silent + max(0, until - counted)) / 1_000_000
