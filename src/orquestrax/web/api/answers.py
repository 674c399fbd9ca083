"""Answers as bytes. Payloads are passed on as they are stored: every digit, however deeply they are nested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import msgspec
from fastapi import Response

from orquestrax.client.views import HistoryEvent, RunStatus, as_datetime
from orquestrax.core.store.clientverbs import EventView, InstanceView

_PAYLOADS = ("input", "result", "error", "waits", "blocked")
_TIMES = ("created_at", "started_at", "ended_at", "wake_at", "deadline")
_PLAIN = tuple(field.name for field in fields(RunStatus) if field.name not in (*_PAYLOADS, *_TIMES))


def answer(content: Any, status: int = 200) -> Response:
    """Plain values and stored payloads as one JSON answer."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def instance(view: InstanceView) -> dict[str, Any]:
    """An instance, as `RunStatus` documents it."""
    shown = {name: getattr(view, name) for name in _PLAIN}
    shown |= {name: as_datetime(getattr(view, name)) for name in _TIMES}
    shown |= {name: _stored(getattr(view, name)) for name in _PAYLOADS}
    return {**shown, "waits": shown["waits"] or []}


def events(view: InstanceView, stored: Sequence[EventView], *, beginning: bool) -> list[dict[str, Any]]:
    """Events, as `models.Event` documents them; with `beginning` the start comes first."""
    following = [
        {"seq": event.seq, "type": event.type, "at": as_datetime(event.at), "data": _stored(event.data)}
        for event in stored
    ]
    return [*_beginning(view), *following] if beginning else following


def _beginning(view: InstanceView) -> list[dict[str, Any]]:
    without_input = msgspec.structs.replace(view, input="null")  # so that it is not decoded
    return [
        {
            "seq": event.seq,
            "type": event.type,
            "at": event.at,
            "data": {**event.data, "input": _stored(view.input)},
        }
        for event in HistoryEvent.beginning(without_input)
    ]


def _stored(payload: str | None) -> msgspec.Raw | None:
    return None if payload is None else msgspec.Raw(payload.encode())
