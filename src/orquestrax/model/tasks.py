"""Steps on their way through the cluster's queues."""

from __future__ import annotations

from uuid import UUID

import msgspec


class Expiry(msgspec.Struct, frozen=True):
    """Why a step may not wait for ever: one of its time limits, in seconds."""

    option: str
    seconds: float


class NewTask(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that any node may run. Times are microseconds by the database's clock.

    once     begun once, and never again after its node was lost
    first_at when the first attempt began; None if this is the first
    input    the encoded JSON array of arguments
    options  JSON of what the call has changed of the step's declared options
    expires_at  by when it must have started, with `expiry` as JSON of an `Expiry`; None if it may wait for ever
    """

    command: int
    step: str
    queue: str
    executor: str
    attempt: int
    asked_at: int
    first_at: int | None
    once: bool
    input: bytes
    options: str
    expires_at: int | None = None
    expiry: str | None = None


class ClaimedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task as its worker gets it.

    owner       the fence of the node that holds the instance, None if nobody does: whom to hint at the end
    expiry      the `Expiry` of a step that nobody has taken in time; None for all others
    lost        the name of the node that had begun it and died, of a step that is not run again; None for all others
    lost_worker the fence of the node that died while it ran it; None if none did, or another has taken it since
    suspicion   how many nodes in a row died while they ran it
    spoke       the fence of the node that last said how far an earlier attempt was, with `heartbeat` as JSON of its
                details; None if none did
    """

    instance: UUID
    command: int
    attempt: int
    step: str
    queue: str
    executor: str
    options: str
    input: str
    asked_at: int
    first_at: int | None
    started_at: int | None
    instance_id: str
    definition: str
    owner: int | None
    lost: str | None
    expiry: str | None
    spoke: int | None
    heartbeat: str | None
    suspicion: int = 0
    lost_worker: int | None = None


class TaskMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker tells the instance of its task; `ends` gives the task up. `message` is the id of the message."""

    instance: UUID
    command: int
    attempt: int
    kind: str
    step: str
    message: str
    payload: str
    ends: bool = True


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """One queue of the cluster.

    waiting    steps that no node has taken yet
    running    steps that a node has taken
    oldest     since when the first of those that wait does, in microseconds by the database's clock
    served_by  names of the live nodes that serve it
    """

    queue: str
    waiting: int
    running: int
    oldest: int | None
    served_by: list[str]
