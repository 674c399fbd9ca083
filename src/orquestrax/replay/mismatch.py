"""The two sides of a difference between a history and the code, in words."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from orquestrax.base.errors import NonDeterminism
from orquestrax.model import events
from orquestrax.model.events import Event
from orquestrax.replay.machine import Machine
from orquestrax.replay.sites import Site

_VERBS: Final = {
    events.STEP_COMPLETED: "completed",
    events.STEP_FAILED: "failed",
    events.STEP_STARTED: "started",
    events.STEP_RETRYING: "to be tried again",
    events.STEP_CANCELLED: "cancelled",
}
_SHOWN: Final = 5


def label_of(event: Event, data: Any) -> tuple[int, str] | None:
    """The command that an event names: its number and label."""
    if event.type in _VERBS:
        return data.command, f"step {data.step}"
    if event.type == events.TIMER_FIRED:
        return data.command, "timer "
    return None


def recorded(event: Event, data: Any) -> str:
    """The side of the history."""
    if event.type in _VERBS:
        return f"step {data.step!r} {_VERBS[event.type]} as command {data.command}"
    if event.type == events.TIMER_FIRED:
        return f"a timer fired as command {data.command}"
    if event.type == events.SIGNAL:
        return f"the signal {data.name!r}"
    if event.type == events.CANCEL:
        return "a cancel request"
    if event.type in events.TERMINAL:
        return f"the end as {event.type}"
    return event.type


def named(label: str) -> str:
    """A command in words."""
    kind, _, name = label.partition(" ")
    if kind == "timer":
        return "a timer"
    if kind == "receive":
        return f"the signal {name!r}"
    if kind == "finish":
        return "the end"
    return f"step {name!r}"


def some(labels: list[str]) -> str:
    """The first few of these commands in words."""
    shown = [named(label) for label in labels[:_SHOWN]]
    if len(labels) > _SHOWN:
        shown.append(f"{len(labels) - _SHOWN} more")
    return ", ".join(shown) or "nothing"


def compare(event: Event, data: Any, machine: Machine, main: Site) -> NonDeterminism:
    """Why this event cannot be applied; `main` is where the main task waits."""
    named_by_event = label_of(event, data)
    if named_by_event is not None:
        number, label = named_by_event
        if not 1 <= number <= machine.issued:
            return _error(event, recorded(event, data), f"asked for only {machine.issued} commands", main)
        own = machine.labels[number - 1]
        if own != label:
            site = site_of(machine, number, main)
            return _error(event, recorded(event, data), f"asked for {named(own)} as command {number}", site)
    if (event.issued, event.trail) != (machine.issued, machine.trail):
        return _counts(event, data, machine, main)
    number = named_by_event[0] if named_by_event else 0
    return _error(
        event,
        recorded(event, data),
        f"no longer waits for {named(machine.labels[number - 1])}, command {number}",
        main,
    )


def _counts(event: Event, data: Any, machine: Machine, main: Site) -> NonDeterminism:
    fresh = machine.labels[machine.before :]
    first = machine.before + 1
    if machine.issued > event.issued:
        first = max(first, event.issued + 1)
    other = "other commands" if event.issued == machine.issued else "commands"
    return _error(
        event,
        f"{recorded(event, data)}, after {event.issued} commands",
        f"asked for {machine.issued} {other}, the latest being {some(fresh)}",
        site_of(machine, first, main) if machine.issued >= event.issued else main,
    )


def site_of(machine: Machine, number: int, main: Site) -> Site:
    """Where the first open command from this number on was asked for, else where the main task waits."""
    for command in machine.open.values():
        if command.number >= number and command.file is not None:
            return command.file, command.line
    return main


def _error(event: Event, recorded: str, asked: str, site: Site) -> NonDeterminism:
    at = f" ({site[0]}:{site[1]})" if site[0] is not None else ""
    return NonDeterminism(
        f"event {event.seq}: the history has {recorded}; the code {asked}{at}",
        recorded=recorded,
        asked=asked,
        file=site[0],
        line=site[1],
    )


def after_end(event: Event, ended_as: str) -> NonDeterminism:
    """The history goes on where the code has ended."""
    return _error(event, recorded(event, safe_decode(event)), f"had {ended_as}", (None, None))


def not_ended(event: Event, main: Site, machine: Machine) -> NonDeterminism:
    """The history ends where the code does not."""
    open_ = some([machine.labels[number - 1] for number in machine.open])
    return _error(event, f"the end as {event.type}", f"still waits for {open_}", main)


def unknown(event: Event) -> NonDeterminism:
    """An event that this release does not know."""
    return _error(
        event,
        f"an event of type {event.type!r}",
        "runs on a release that does not know it: upgrade this node",
        (None, None),
    )


def safe_decode(event: Event) -> Any:
    """The event's data, for a message about it."""
    try:
        return events.decode(event)
    except (KeyError, msgspec.MsgspecError):
        return None
