"""What has happened to an instance, told in lines; pure functions of its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orquestrax.cli.output import compact, duration
from orquestrax.model import events

SECOND = 1_000_000


def told(type_: str, data: Mapping[str, Any]) -> str:  # noqa: C901, PLR0911, PLR0912 - a line for each
    """One event in a few words."""
    match type_:
        case events.STEP_COMPLETED:
            return f"{_attempt(data)} in {_took(data)}: {compact(data.get('result'))}"
        case events.STEP_FAILED:
            return f"{_attempt(data)} after {_took(data)}: {_error(data)}"
        case events.STEP_RETRYING:
            pause = duration((data["due"] - data["ended_at"]) / SECOND)
            return f"{_attempt(data)} failed: {_error(data)}; again in {pause}"
        case events.STEP_STARTED | events.STEP_CANCELLED:
            return _attempt(data)
        case events.STEPS_QUEUED:
            return f"{len(data['commands'])} to any node that serves their queue"
        case events.SIGNAL:
            return f"{data.get('name', '')}: {compact(data.get('payload'))}"
        case events.CANCEL:
            return _order(data.get("name"), data.get("payload"))
        case events.PAUSED | events.RESUMED:
            return _order(data.get("by"), data.get("reason"))
        case events.STEP_KEPT:
            return f"{_attempt(data)} {'failed' if data.get('error') else 'completed'} while paused"
        case events.ATTEMPT_FAILED:
            return f"attempt {data['attempt']} of the whole run: {_error(data)}"
        case events.ATTEMPT_STARTED:
            return f"attempt {data['attempt']} of the whole run on {data['node']}"
        case events.TIMED_OUT:
            return f"after {duration(data['seconds'])} in all"
        case events.TAKEN_OVER:
            return f"by {data['node']}"
        case events.COMPLETED:
            return compact(data.get("result"))
        case events.FAILED:
            return _error(data)
        case events.CANCELLED | events.TERMINATED:
            return _order(data.get("by"), data.get("reason"))
        case _:
            return ", ".join(f"{name} {data[name]}" for name in ("created_by", "node") if data.get(name))


def _order(by: str | None, reason: str | None) -> str:
    """Who gave it, and why."""
    return ": ".join(filter(None, (f"by {by}" if by else "", reason)))


def _attempt(data: Mapping[str, Any]) -> str:
    attempt = data.get("attempt", 1)
    return f"{data['step']}" + (f", attempt {attempt}" if attempt > 1 else "")


def _took(data: Mapping[str, Any]) -> str:
    return duration((data["ended_at"] - data["started_at"]) / SECOND)


def _error(data: Mapping[str, Any]) -> str:
    error = data.get("error") or {}
    return f"{error.get('type', '')}: {error.get('message', '')}".partition("\n")[0]


@dataclass(slots=True)
class Line:
    """One step as it stands: running, retrying, done, failed or cancelled; times in microseconds."""

    step: str
    state: str
    attempt: int = 1
    since: int = 0
    until: int | None = None
    note: str = ""


@dataclass(slots=True)
class Story:
    """The steps of an instance by command, as its events tell them, and how many have been read."""

    lines: dict[int, Line] = field(default_factory=dict)
    seq: int = 0

    @property
    def done(self) -> int:
        """How many steps are completed."""
        return sum(line.state == "done" for line in self.lines.values())

    def add(self, seq: int, type_: str, data: Mapping[str, Any]) -> None:
        """Apply the next event."""
        self.seq = seq
        match type_:
            case events.STEP_COMPLETED | events.STEP_FAILED | events.STEP_KEPT:
                failed = bool(data.get("error"))
                self._put(
                    data, "failed" if failed else "done", data["ended_at"], _error(data) if failed else ""
                )
            case events.STEP_STARTED:
                self._put(data, "running", None, "")
            case events.STEP_RETRYING:
                self._put(data, "retrying", data["due"], _error(data))
            case events.STEP_CANCELLED if data["command"] in self.lines:
                self.lines[data["command"]].state = "cancelled"

    def _put(self, data: Mapping[str, Any], state: str, until: int | None, note: str) -> None:
        line = Line(data["step"], state, data["attempt"], data["started_at"], until, note)
        self.lines[data["command"]] = line
