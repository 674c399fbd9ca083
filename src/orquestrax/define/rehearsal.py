"""A recorded history against a workflow's code, outside of any node: does the code still do what it did?

The code is replayed twice. What does not fit the history is NonDeterminism as everywhere. Beyond that, the two
replays have to ask for the same things with the same arguments, and to come to the result that the history has:
that finds clocks, random numbers and state of the process that left no mark on the commands. Orders of sets show
only in a process with another hash seed.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID
from zlib import crc32

import msgspec

from orquestrax.base.codec import encode_error
from orquestrax.base.errors import NonDeterminism
from orquestrax.define.workflow import Workflow
from orquestrax.model.commands import Command, Finish, RunStep, StartTimer
from orquestrax.model.events import COMPLETED, Event, MaybeRaw
from orquestrax.replay.instance import Identity, Replay

_SHOWN: Final = 200  # characters of arguments in a message


class RecordedEvent(msgspec.Struct, frozen=True):
    """One event of a history, as it is stored."""

    seq: int
    type: str
    at: int
    issued: int
    trail: int
    data: msgspec.Raw


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that a replay needs of an instance. Times in microseconds since the epoch; no result before its end."""

    id: str
    key: UUID
    definition: str
    version: str
    started_at: int
    input: msgspec.Raw
    result: MaybeRaw = None
    events: list[RecordedEvent] = []

    def to_json(self) -> bytes:
        """The history as JSON, to be kept in a file."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes | str) -> History:
        """What `to_json` wrote. Raises msgspec.DecodeError for anything else."""
        return msgspec.json.decode(text, type=cls)


class Asked(msgspec.Struct, frozen=True):
    """A command of a replay: what it is, a digest of its arguments or result and their beginning, and its line."""

    label: str
    digest: int
    shown: str
    file: str | None
    line: int | None


def rehearse(workflow: Workflow[..., Any], history: History) -> list[Asked]:
    """Replay the history against this code, twice, and return what the code asked for.

    Raises NonDeterminism with both sides and the line. Must not be called inside a task of an event loop.
    """
    first, second = _replay(workflow, history), _replay(workflow, history)
    compare(first, second, "another replay")
    return first


def compare(one: list[Asked], other: list[Asked], whose: str) -> None:
    """NonDeterminism if `other`, which `whose` calls in words, asked for something else than `one`."""
    for number, (a, b) in enumerate(zip(one, other, strict=False), 1):
        if (a.label, a.digest) != (b.label, b.digest):
            recorded, asked = f"{a.label} as command {number} with {a.shown}", f"{b.label} with {b.shown}"
            raise _error(f"one replay has {recorded}, {whose} {asked}", recorded, asked, b.file, b.line)
    if len(one) != len(other):
        counts = f"{len(one)} commands", f"{len(other)} commands"
        raise _error(f"one replay has {counts[0]}, {whose} {counts[1]}", *counts, None, None)


def _replay(workflow: Workflow[..., Any], history: History) -> list[Asked]:
    identity = Identity(
        id=history.id,
        key=history.key,
        definition=history.definition,
        version=history.version,
        started_at=history.started_at,
    )
    replay = Replay(
        identity,
        workflow.main(bytes(history.input)),
        encode_result=workflow.signature.result.encode,
        encode_error=encode_error,
    )
    asked: list[Asked] = []
    try:
        replay.replaying = True
        replay.start()
        asked += [_asked(workflow, each) for each in replay.take().commands]
        for event in history.events:
            data = bytes(event.data)
            replay.apply(Event(event.seq, event.type, event.at, event.issued, event.trail, data))
            asked += [_asked(workflow, each) for each in replay.take().commands]
        _same_result(workflow, history, replay.finish)
    finally:
        replay.close()
    return asked


def _same_result(workflow: Workflow[..., Any], history: History, finish: Finish | None) -> None:
    if history.result is None or finish is None or finish.status != COMPLETED:
        return
    recorded = bytes(history.result)
    if _canonical(workflow, finish.payload) != _canonical(workflow, recorded):
        sides = f"the result {_short(recorded)}", f"returns {_short(finish.payload)}"
        raise _error(f"the history has {sides[0]}; the code {sides[1]}", *sides, None, None)


def _asked(workflow: Workflow[..., Any], command: Command) -> Asked:
    """What a command is; equal values have equal digests, whatever the order of sets in them."""
    digest = shown = b""
    if isinstance(command, RunStep):
        digest, shown = command.step.signature.digest(command.arguments), command.arguments
    elif isinstance(command, StartTimer):
        digest = shown = f"{(command.due - command.asked_at) / 1e6:g} s".encode()
    elif isinstance(command, Finish) and command.status == COMPLETED:  # errors hold tracebacks
        digest, shown = _canonical(workflow, command.payload), command.payload
    label = f"{command.kind} {command.name}".rstrip()
    return Asked(label, crc32(digest), _short(shown), command.file, command.line)


def _canonical(workflow: Workflow[..., Any], payload: bytes) -> bytes:
    codec = workflow.signature.result
    return codec.canonical(codec.decode(payload))


def _short(payload: bytes) -> str:
    text = payload.decode(errors="replace")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _error(message: str, recorded: str, asked: str, file: str | None, line: int | None) -> NonDeterminism:
    at = "" if file is None else f" ({file}:{line})"
    return NonDeterminism(message + at, recorded=recorded, asked=asked, file=file, line=line)
