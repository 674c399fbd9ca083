"""Rows as the store hands them out, and what the journal is asked to write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec

from orquestrax.model.events import Event
from orquestrax.model.tasks import NewTask


class InstanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """An instance as claimed: what its new owner needs to rebuild it; `steered` if only to be paused or resumed.

    Without `started_at` no code of it may run: it was claimed for an order, and the claim that is due sets it.
    """

    key: UUID
    id: str
    definition: str
    version: str
    status: str
    started_at: int | None
    mail: int
    input: str
    created_at: int = 0
    deadline: int | None = None
    suspicion: int = 0
    lost_owner: int | None = None
    never_started: bool = False
    blocked: bool = False
    steered: bool = False


class NewInstance(msgspec.Struct, frozen=True, kw_only=True):
    """A start as it is inserted; `digest` identifies the input, `timeout` (seconds) limits the whole run."""

    key: UUID
    id: str
    definition: str
    version: str
    input: bytes
    digest: bytes
    created_by: str = ""
    priority: int = 2
    timeout: float | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One row of an inbox."""

    instance: UUID
    number: int
    kind: str
    name: str
    message: str
    payload: str | None


class History(msgspec.Struct, kw_only=True):
    """Everything that is known of an instance beside its row, read in one statement.

    `heartbeats` has, by command, the steps that said how far they are, with the JSON of their last details.
    `lost` is the name of the dead owner and its last sign of life.
    """

    events: list[Event] = []
    messages: list[Message] = []
    queued: set[int] = msgspec.field(default_factory=set)
    heartbeats: dict[int, str | None] = msgspec.field(default_factory=dict)
    lost: tuple[str, int] | None = None


class RowChange(msgspec.Struct, kw_only=True):
    """New values of an instance's row. `release` gives up ownership: at a park, a block and the end."""

    status: str
    release: bool = False
    wake_at: int | None = None
    waits: bytes | None = None
    result: bytes | None = None
    error: bytes | None = None
    ended_at: int | None = None
    blocked_by: str | None = None
    blocked: bytes | None = None


class Verdict(Enum):
    """What became of one write."""

    COMMITTED = "committed"
    MAIL = "mail"  # an end or a block met new mail: nothing of it was written
    LOST = "lost"  # the row is no longer mine: nothing of it was written
    TAKEN = "taken"  # a start met an instance of its id: nothing of it was written
    FAULT = "fault"  # the database refuses just this write


class Write(msgspec.Struct, kw_only=True):
    """What one turn of one instance asks of the journal.

    A park, a block and an end (`change.release`) hold only while the row's mail is `read_mail`. A park that meets
    new mail is left out and the rest is written (`parked` tells); an end or a block is then not written at all.
    Nothing may follow a start or a change of the same instance within one batch.
    `seq` is the last event of the history that it leaves behind, as far as an execution knows it.
    `deadline` goes into the row with a start or a change. `tasks` are steps for the cluster's queues, `withdrawn` the
    commands of those that nobody waits for any more. Tasks come with an event or a start, which tell whether a write of
    unknown outcome is there. `holds` stops its steps that wait in the queues (true), or lets them go.
    `done` is called once with the verdict, after the commit. `taken` says that it belongs to a batch by now: until
    then more events may join it.
    """

    key: UUID
    read_mail: int
    done: Callable[[Write, Verdict], Any]
    start: NewInstance | None = None
    started_at: int = 0
    seq: int = 0
    events: list[Event] = []
    change: RowChange | None = None
    consumed: list[int] = []
    deadline: int | None = None
    tasks: Sequence[NewTask] = ()
    withdrawn: Sequence[int] = ()
    holds: bool | None = None
    parked: bool = False
    taken: bool = False

    @property
    def ends(self) -> bool:
        """Whether this is the last write of the instance."""
        return self.change is not None and self.change.ended_at is not None

    @property
    def strict(self) -> bool:
        """Whether new mail forbids all of it: ends, and blocks (which no later mail would wake)."""
        return self.ends or (self.change is not None and self.change.blocked_by is not None)
