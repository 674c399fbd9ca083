"""In one line: what an instance is at, waits for, or came to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from orquestrax.core.store.clientverbs import EventView
from orquestrax.core.store.webverbs import ListRow
from orquestrax.web.views.payload import preview
from orquestrax.web.views.statuses import STATUSES, STEPS, Look
from orquestrax.web.views.story import Lane, read

SHOWN: Final = 3  # things that happen side by side; more are counted


@dataclass(frozen=True, slots=True)
class Part:
    """One thing: `since` and `until` (µs) tick in the browser."""

    text: str
    look: Look | None = None
    since: int | None = None
    until: int | None = None


_STILL: Final = {
    "pending": Part("waits for a node"),
    "paused": Part("goes on when it is resumed", STATUSES["paused"]),
}


def headline(row: ListRow, activity: Sequence[EventView], now: int) -> list[Part]:
    """The line of a row; `activity` are its last step events."""
    match row.status:
        case "pending" | "paused":
            return [_STILL[row.status]]
        case "running" | "waiting":
            return parts_of(waits_of(row.waits), activity, row.started_at or row.created_at, now)
        case "failed":
            message = (row.error_message or "").strip().partition("\n")[0]
            kind = row.error_type or "failed"
            return [Part(f"{kind}: {message}" if message else kind, STATUSES["failed"])]
        case "blocked":
            return [Part((row.blocked or "").partition("\n")[0], STATUSES["blocked"])]
        case "completed":
            return [Part(preview(row.result))]
        case _:
            return []


def waits_of(waits: str | None) -> list[dict[str, Any]]:
    """What a row says that it waits for."""
    return list(msgspec.json.decode(waits)) if waits else []


def parts_of(
    waits: Sequence[dict[str, Any]], history: Sequence[EventView], started_at: int, now: int
) -> list[Part]:
    """Steps under way, timers and signals, the first few of them."""
    steps = [_step(lane) for lane in read(history, started_at, now).open_steps()]
    others = [_wait(wait) for wait in waits if wait["kind"] != "step"]
    parts = steps + others
    if len(parts) <= SHOWN:
        return parts
    return [*parts[: SHOWN - 1], Part(f"and {len(parts) - SHOWN + 1} more")]


def _step(lane: Lane) -> Part:
    attempt = lane.attempts[-1]
    if lane.state == "retrying":
        return Part(f"{lane.name}, attempt {attempt.number + 1}", STEPS["retrying"], until=lane.due)
    text = f"{lane.name}, attempt {attempt.number}" if attempt.number > 1 else lane.name
    return Part(text, STEPS["running"], since=attempt.started_at)


def _wait(wait: dict[str, Any]) -> Part:
    if wait["kind"] == "timer":
        return Part("timer", STEPS["scheduled"], until=wait.get("until"))
    if wait["kind"] == "attempt":
        return Part(f"attempt {wait['name']} of the whole run", STEPS["retrying"], until=wait.get("until"))
    return Part(f"{wait['kind']} {wait['name']}", STEPS["waiting"], since=wait.get("since"))
