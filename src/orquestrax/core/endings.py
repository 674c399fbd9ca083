"""The last writes of an instance: its end, an end without running code, and the block that waits for fitting code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

import msgspec

from orquestrax.base.errors import NonDeterminism
from orquestrax.core.execution import Execution
from orquestrax.model import events
from orquestrax.model.events import Event
from orquestrax.model.rows import History, InstanceRow, Message, NewInstance, RowChange, Verdict, Write

ORDERS: Final = frozenset({"cancel", "terminate", "pause", "resume"})
Done = Callable[[Write, Verdict], Any]


def ended(execution: Execution, now: int, done: Done, *, start: NewInstance | None = None) -> Write:
    """The terminal event and the row that agrees with it, behind whatever is still to be written."""
    finish, order, replay = execution.finish, execution.terminated_by, execution.replay
    status = finish.status if finish is not None else events.TERMINATED
    payload = finish.payload if finish is not None else None
    at = max(execution.last_at, now)
    data = events.Ended(
        node=execution.node,
        result=events.raw(payload) if payload is not None and status == events.COMPLETED else None,
        error=events.raw(payload) if payload is not None and status != events.COMPLETED else None,
        reason=reason_of(order),
        unhandled=[*(execution.unhandled or replay.unhandled()), *unhandled(execution.leftovers)],
        unrun=finish is not None and finish.number == 0,
        by=order.name if order is not None else "",
    )
    terminal = Event(execution.seq + 1, status, at, replay.issued, replay.trail, events.encode(data))
    change = RowChange(
        status=status,
        release=True,
        ended_at=at,
        result=payload if status == events.COMPLETED else None,
        error=payload if status != events.COMPLETED else None,
    )
    write = execution.write(change, done, start)
    write.events = [*write.events, terminal]
    return write


def unrun(
    row: InstanceRow,
    history: History,
    type_: str,
    *,
    node: str,
    now: int,
    done: Done,
    error: bytes | None = None,
) -> Write:
    """The end of an instance whose code is not run: terminated without an owner, cancelled or late before it began."""
    last = last_of(row, history)
    order = next((m for m in history.messages if m.kind in ("terminate", "cancel")), None)
    seen = seen_in(history)
    others = {m.message: m for m in reversed(history.messages) if m is not order and m.message not in seen}
    data = events.Ended(
        node=node,
        error=events.raw(error) if error is not None else None,
        reason=reason_of(order),
        unhandled=unhandled(reversed(others.values())),
        unrun=type_ != events.TERMINATED,
        by=order.name if order is not None and error is None else "",
    )
    at = max(last.at, now)
    terminal = Event(last.seq + 1, type_, at, last.issued, last.trail, events.encode(data))
    return Write(
        key=row.key,
        read_mail=max([row.mail, *(message.number for message in history.messages)]),
        done=done,
        events=[terminal],
        change=RowChange(status=type_, release=True, ended_at=at, error=error),
    )


def last_of(row: InstanceRow, history: History) -> Event:
    """The last event, behind which one goes on without the code; the start if there is none."""
    begun_at = row.created_at if row.started_at is None else row.started_at
    return history.events[-1] if history.events else Event(0, "", begun_at, 0, 0, b"")


def seen_in(history: History) -> set[str]:
    """The senders' ids of the messages that have become history."""
    return {events.decode(event).message for event in history.events if event.type in events.RECEIVED}


def blocked(row: InstanceRow, history: History, error: Exception, *, digest: str, done: Done) -> Write:
    """The park of an instance that the code here cannot continue; `digest` is that of the code that failed."""
    read = max([row.mail, *(message.number for message in history.messages)])
    return Write(key=row.key, read_mail=read, done=done, change=block_of(error, digest=digest))


def block_of(error: Exception, *, digest: str) -> RowChange:
    """The row of a blocked instance: both sides, and the digest of the code that failed."""
    sides = events.Blocked(message=str(error), recorded="", asked="")
    if isinstance(error, NonDeterminism):
        sides = events.Blocked(str(error), error.recorded, error.asked, error.file, error.line)
    return RowChange(status="blocked", release=True, blocked_by=digest, blocked=msgspec.json.encode(sides))


def unhandled(messages: Iterable[Message]) -> list[events.Unhandled]:
    """Messages that no code took, as the terminal event lists them."""
    return [
        events.Unhandled(m.kind, m.name, m.message, None if m.payload is None else events.raw(m.payload))
        for m in messages
    ]


def own_order(instance: UUID, reason: str) -> Message:
    """The engine's own order to terminate: nobody has sent it."""
    payload = msgspec.json.encode(reason).decode()
    return Message(instance=instance, number=0, kind="terminate", name="", message="", payload=payload)


def reason_of(order: Message | None) -> str:
    """The reason that the sender of a cancel or terminate gave."""
    if order is None or order.payload is None:
        return ""
    reason = msgspec.json.decode(order.payload)
    return reason if isinstance(reason, str) else ""
