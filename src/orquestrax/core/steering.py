"""Pauses and resumes of an instance without an owner: written by any engine node, without running code."""

from __future__ import annotations

from collections.abc import Iterator

from orquestrax.core.endings import Done, last_of, seen_in
from orquestrax.core.pausing import steered
from orquestrax.model import events
from orquestrax.model.events import Event
from orquestrax.model.rows import History, InstanceRow, Message, RowChange, Write

KINDS = {"pause": True, "resume": False}


def steer(row: InstanceRow, history: History, now: int, done: Done) -> Write:
    """Move its pauses and resumes from the inbox into the history, and park it as they leave it.

    Other messages wait on: a resumed instance is due at once, and so is a paused one that is to be cancelled.
    """
    paused, written = row.status == "paused", list[Event]()
    last = last_of(row, history)
    for order in _new(history):
        if KINDS[order.kind] != paused:
            paused = not paused
            type_ = events.PAUSED if paused else events.RESUMED
            data = events.encode(steered(order))
            seq, at = last.seq + 1 + len(written), max(last.at, now)
            written.append(Event(seq, type_, at, last.issued, last.trail, data))
    sleeps = paused and not any(message.kind == "cancel" for message in history.messages)
    status = "paused" if paused else "pending" if row.never_started else "waiting"
    return Write(
        key=row.key,
        read_mail=max([row.mail, *(message.number for message in history.messages)]),
        done=done,
        events=written,
        change=RowChange(status=status, release=True, wake_at=None if sleeps else now),
        holds=paused,
        consumed=[message.number for message in history.messages if message.kind in KINDS],
    )


def _new(history: History) -> Iterator[Message]:
    """Each order once."""
    seen = seen_in(history)
    for message in history.messages:
        if message.kind in KINDS and message.message not in seen:
            seen.add(message.message)
            yield message
