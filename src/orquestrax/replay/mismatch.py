"""Compares events with the commands that code has asked for, and says in words how the two sides differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from orquestrax.base.errors import NonDeterminism
from orquestrax.model import events
from orquestrax.model.commands import Finish
from orquestrax.model.events import Event
from orquestrax.replay.machine import Machine, trail_of
from orquestrax.replay.sites import NOWHERE, Site

_STEP_EVENTS: Final = {
    events.STEP_COMPLETED: "completed",
    events.STEP_FAILED: "failed",
    events.STEP_STARTED: "started",
    events.STEP_RETRYING: "to be tried again",
    events.STEP_CANCELLED: "cancelled",
    events.STEP_KEPT: "ended while paused",
}
_TELLERS: Final[dict[str, Callable[[Any], str]]] = {
    events.TIMER_FIRED: lambda data: f"a timer fired as command {data.command}",
    events.SIGNAL: lambda data: f"signal {data.name!r} received",
    events.CANCEL: lambda _data: "a cancel request",
    events.ATTEMPT_FAILED: lambda data: f"attempt {data.attempt} failed",
    events.ATTEMPT_STARTED: lambda data: f"attempt {data.attempt} started",
    events.STEPS_QUEUED: lambda data: f"{len(data.commands)} steps handed to the cluster's queues",
    events.TIMED_OUT: lambda _data: "the time limit of the run",
}
_SHOWN: Final = 5  # of many commands in a message
_TRIED: Final = 100  # of many commands that one may be too much of


def check(event: Event, data: Any, machine: Machine, waits_at: Callable[[], Site]) -> None:
    """NonDeterminism if the counts differ, or the command that the event names is another one."""
    named = _command_of(event, data)
    if event.issued == machine.issued and event.trail == machine.trail:
        if named is None:
            return
        number, label = named
        if machine.label(number) == label:
            return
    raise compare(event, data, machine, waits_at())


def compare(event: Event, data: Any, machine: Machine, main: Site) -> NonDeterminism:
    """Why this event cannot be applied; `main` is where the main task waits."""
    recorded = _recorded(event, data)
    named = _command_of(event, data)
    if named is not None:
        number, label = named
        own = machine.label(number)
        if own is None:
            asked = f"asked for only {machine.issued} commands"
            return _error(event, recorded, asked + _latest(machine), main)
        if own != label:
            asked = f"asked for {_in_words(own)} as command {number}"
            return _error(event, recorded, asked, _site(machine, number, main))
    if event.issued == machine.issued and event.trail == machine.trail:
        assert named is not None
        asked = f"no longer waits for {_in_words(named[1])}, command {named[0]}"
        return _error(event, recorded, asked, main)
    return _counts(event, recorded, machine, main)


def _counts(event: Event, recorded: str, machine: Machine, main: Site) -> NonDeterminism:
    """The event names no command, or the right one: what differs are the commands asked for before it."""
    other = "other commands" if event.issued == machine.issued else "commands"
    asked = f"asked for {machine.issued} {other}" + _latest(machine)
    suspect = _suspect(event, machine)
    site = main if suspect is None else _site(machine, suspect, main)
    return _error(event, f"{recorded} after {event.issued} commands", asked, site)


def _suspect(event: Event, machine: Machine) -> int | None:
    """The command that most likely was not there when the history was made; None if one is missing."""
    labels = machine.labels
    if event.issued > machine.issued:
        return None
    base, trail = machine.base, machine.base_trail
    if trail_of(labels[: max(0, event.issued - base)], trail) == event.trail:
        return event.issued + 1
    fresh = range(machine.before + 1, machine.issued + 1)
    if event.issued == machine.issued - 1:
        for number in fresh[:_TRIED]:
            at = number - base - 1
            if trail_of(labels[:at] + labels[at + 1 :], trail) == event.trail:
                return number
    return machine.before + 1


def ended(event: Event, finish: Finish) -> NonDeterminism:
    """The history goes on, or ends otherwise, where the code has ended."""
    return _error(event, _recorded(event, events.decode(event)), f"ended as {finish.status}", NOWHERE)


def not_ended(event: Event, machine: Machine, main: Site) -> NonDeterminism:
    """The history ends where the code does not."""
    waits_for = _some([str(machine.label(number)) for number in machine.open])
    return _error(event, _recorded(event, events.decode(event)), f"still waits for {waits_for}", main)


def still_running(event: Event) -> NonDeterminism:
    """Another attempt begins where the one before has not failed."""
    return _error(event, _recorded(event, events.decode(event)), "runs in the attempt before", NOWHERE)


def after_end(event: Event) -> NonDeterminism:
    """Something follows the terminal event."""
    return _error(event, f"{_recorded(event, events.decode(event))} after its end", "has ended", NOWHERE)


def unknown(event: Event) -> NonDeterminism:
    """A type of event that this release does not know."""
    recorded = f"an event of type {event.type!r}"
    return _error(event, recorded, "runs on a release that does not know it: upgrade this node", NOWHERE)


def _command_of(event: Event, data: Any) -> tuple[int, str] | None:
    """Number and label of the command that an event names."""
    if event.type in _STEP_EVENTS:
        return data.command, f"step {data.step}"
    if event.type == events.TIMER_FIRED:
        return data.command, "timer "
    return None


def _recorded(event: Event, data: Any) -> str:
    if event.type in _STEP_EVENTS:
        return f"step {data.step!r} {_STEP_EVENTS[event.type]} as command {data.command}"
    if event.type in events.TERMINAL:
        return f"the end as {event.type}"
    tell = _TELLERS.get(event.type)
    return f"event {event.type!r}" if tell is None else tell(data)


def _in_words(label: str) -> str:
    kind, _, name = label.partition(" ")
    match kind:
        case "timer":
            return "a timer"
        case "receive":
            return f"a signal {name!r}"
        case "finish":
            return "the end"
    return f"step {name!r}"


def _latest(machine: Machine) -> str:
    """What the code asked for since the event before."""
    fresh = machine.labels[machine.before - machine.base :]
    return f", since the event before for {_some(fresh)}" if fresh else ", none since the event before"


def _some(labels: list[str]) -> str:
    shown = [_in_words(label) for label in labels[:_SHOWN]]
    if len(labels) > _SHOWN:
        shown.append(f"{len(labels) - _SHOWN} more")
    return ", ".join(shown) or "nothing"


def _site(machine: Machine, number: int, main: Site) -> Site:
    """Where the first open command from this number on was asked for, else where the main task waits."""
    for command in machine.open.values():
        if command.number >= number and command.file is not None:
            return command.file, command.line
    return main


def _error(event: Event, recorded: str, asked: str, site: Site) -> NonDeterminism:
    at = "" if site[0] is None else f" ({site[0]}:{site[1]})"
    message = f"the history has {recorded} (event {event.seq}); the code {asked}{at}"
    return NonDeterminism(message, recorded=recorded, asked=asked, file=site[0], line=site[1])
