"""The verdict on one simulation: the checker's, and what only somebody who sees everything can know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orquestrax.core.store.clientverbs import EventView, InstanceView
from orquestrax.core.store.deaths import Death
from tests.checker import check_bodies, check_calls, check_history, ran, replay_again
from tests.simulation.flows import FLOWS
from tests.simulation.model.tables import ENDED
from tests.simulation.plan import LEASE

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


def judge(simulation: Simulation) -> list[str]:
    """Every broken promise, one sentence each."""
    return [*_starts(simulation), *_instances(simulation), *_deaths(simulation)]


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
    check_bodies(history, bodies, faultless=simulation.plan.faultless, refused=refused)
    calls = [call for call in simulation.calls if call.instance == row["id"]]
    check_calls(history, calls, view.status)
    if ran(view, history):
        replay_again(FLOWS[view.definition], view, history)


def _deaths(simulation: Simulation) -> Iterator[str]:
    """I14: only a lease of silence, or a process that is known to be gone, is a death."""
    beats: dict[str, int] = {}
    for now, _process, label, answer in simulation.trace.lines:
        verb, *about = label.split(" ")
        if verb == "heartbeat" and answer:
            beats[about[0]] = now
        elif verb == "declare" and isinstance(answer, Death):
            fence, cause = about
            silent = silence(simulation.outages, beats.get(fence, 0), now)
            if (cause == "silent" and silent < LEASE) or (cause == "gone" and fence not in simulation.gone):
                yield f"I14: node {fence} was declared dead after {silent:.1f} s of silence"


def silence(outages: list[tuple[int, int]], since: int, until: int) -> float:
    """Seconds without a heartbeat; those count in which the database was there. Outages may overlap."""
    silent, counted = 0, since
    for start, end in sorted(outages):
        silent += max(0, min(until, start) - counted)
        counted = max(counted, end)
    return (silent + max(0, until - counted)) / 1_000_000
