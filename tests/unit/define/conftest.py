"""A workflow in memory, driven by hand: what its code asks for, and what comes of an answer."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from orquestrax.base.codec import encode_error
from orquestrax.model import events
from orquestrax.model.commands import RunStep
from orquestrax.model.events import Event, StepEnded
from orquestrax.replay.instance import Identity, Replay

STARTED = 1_700_000_000_000_000
KEY = UUID("01890000-0000-7000-8000-000000000001")


class Instance:
    """An instance of a workflow, started with these arguments."""

    def __init__(self, workflow, *args):
        self.replay = Replay(
            Identity("instance-1", KEY, workflow.name, workflow.version, STARTED),
            workflow.main(workflow.signature.encode(args, {})),
            encode_result=workflow.signature.result.encode,
            encode_error=encode_error,
        )
        self.seq = 0
        self.replay.start()

    def asked(self):
        """The steps asked for since the last time."""
        return [command for command in self.replay.take().commands if isinstance(command, RunStep)]

    def answer(self, command, *, result=None, error=None):
        """The step ends with this stored result or error."""
        self.seq += 1
        kind = events.STEP_COMPLETED if error is None else events.STEP_FAILED
        raw, failure = (None if value is None else msgspec.Raw(value) for value in (result, error))
        ended = StepEnded(command.number, command.name, 1, "n1", STARTED, STARTED, raw, failure)
        issued, trail = self.replay.issued, self.replay.trail
        self.replay.apply(Event(self.seq, kind, STARTED + self.seq, issued, trail, events.encode(ended)))

    @property
    def ended(self):
        """Status and decoded payload, None while it runs."""
        finish = self.replay.finish
        return None if finish is None else (finish.status, msgspec.json.decode(finish.payload))


@pytest.fixture
def begin():
    """begin(workflow, *args) -> Instance"""
    begun = []

    def begin(workflow, *args):
        begun.append(Instance(workflow, *args))
        return begun[-1]

    yield begin
    for instance in begun:
        instance.replay.close()
