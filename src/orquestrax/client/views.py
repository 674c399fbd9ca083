"""What a client shows of an instance: values with decoded payloads and aware datetimes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from orquestrax.core.store.clientverbs import EventView, InstanceView

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Ending(NamedTuple):
    """How an instance ended: status, and the encoded result or error."""

    status: str
    result: bytes | str | None
    error: bytes | str | None


def moment(microseconds: int) -> datetime:
    """A stored time (microseconds since 1970, UTC) as an aware datetime, exactly."""
    return EPOCH + timedelta(microseconds=microseconds)


def as_datetime(microseconds: int | None) -> datetime | None:
    """The same for what may not have happened yet."""
    return None if microseconds is None else moment(microseconds)


def decoded(payload: str | None) -> Any:
    """A stored payload as plain JSON values."""
    return None if payload is None else msgspec.json.decode(payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """An instance as it stood at one moment: what `orquestrax show --json` prints and the REST API answers."""

    id: str
    definition: str
    version: str
    status: str
    input: Any
    result: Any
    error: dict[str, Any] | None
    waits: list[dict[str, Any]]
    blocked: dict[str, Any] | None
    node: str | None
    priority: int
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    wake_at: datetime | None
    deadline: datetime | None

    @classmethod
    def of(cls, view: InstanceView) -> RunStatus:
        """From a row."""
        return cls(
            id=view.id,
            definition=view.definition,
            version=view.version,
            status=view.status,
            input=decoded(view.input),
            result=decoded(view.result),
            error=decoded(view.error),
            waits=decoded(view.waits) or [],
            blocked=decoded(view.blocked),
            node=view.node,
            priority=view.priority,
            created_by=view.created_by,
            created_at=moment(view.created_at),
            started_at=as_datetime(view.started_at),
            ended_at=as_datetime(view.ended_at),
            wake_at=as_datetime(view.wake_at),
            deadline=as_datetime(view.deadline),
        )


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One event as people see it: what `orquestrax events --json` prints. Seq 0 is the start, taken from the row."""

    seq: int
    type: str
    at: datetime
    data: dict[str, Any]

    @classmethod
    def of(cls, view: EventView) -> HistoryEvent:
        """From a row."""
        return cls(view.seq, view.type, moment(view.at), msgspec.json.decode(view.data))

    @classmethod
    def beginning(cls, view: InstanceView) -> list[HistoryEvent]:
        """The start, which is the instance's row itself."""
        data = {"created_by": view.created_by, "input": decoded(view.input), "created_at": view.created_at}
        if view.started_at is None:
            return [cls(0, "created", moment(view.created_at), data)]
        return [cls(0, "started", moment(view.started_at), {**data, "node": view.started_on})]
