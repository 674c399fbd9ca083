"""Why an instance failed or cannot go on: message, step, attempt, causes, trace. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from orquestrax.core.store.clientverbs import EventView, InstanceView
from orquestrax.model import events
from orquestrax.web.views.story import decoded

_SIDES: Final = (("recorded", "the history has"), ("asked", "the code asks for"))


@dataclass(frozen=True, slots=True)
class Cause:
    """One exception of a chain."""

    kind: str
    message: str
    trace: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed or blocked instance shows first. `causes` begins with the error itself."""

    title: str
    causes: tuple[Cause, ...]
    step: str = ""
    attempt: int = 0
    node: str = ""
    hint: str = ""


def failure_of(view: InstanceView, history: Sequence[EventView]) -> Failure | None:
    """The failure of an instance; None for one that is well."""
    if view.status == "blocked":
        return _blocked(view)
    if view.status != "failed" or not view.error:
        return None
    causes = tuple(_causes(msgspec.json.decode(view.error)))
    last = next((event for event in reversed(history) if event.type == events.STEP_FAILED), None)
    if last is None:
        return Failure("The workflow failed", causes)
    data = decoded(last)
    if data.error and not _tells_of(causes, bytes(data.error)):
        return Failure("The workflow failed", causes)
    return Failure(f"Step {data.step} failed", causes, data.step, data.attempt, data.node)


def _blocked(view: InstanceView) -> Failure:
    stored = msgspec.json.decode(view.blocked) if view.blocked else {}
    sides = [Cause(word, str(stored[name]), "") for name, word in _SIDES if stored.get(name)]
    where = f"{stored['file']}:{stored.get('line')}" if stored.get("file") else ""
    return Failure(
        "The code does not fit the history",
        (Cause("", str(stored.get("message", "blocked")), ""), *sides),
        hint=(f"Where: {where}. " if where else "")
        + "It goes on by itself when a node with fitting code is there.",
    )


def _causes(error: dict[str, Any]) -> list[Cause]:
    chain: list[Cause] = []
    rest: Any = error
    while isinstance(rest, dict) and rest:
        cause = Cause(str(rest.get("type", "")), str(rest.get("message", "")), str(rest.get("traceback", "")))
        rest = rest.get("cause")
        if not _only_carries(cause, rest):
            chain.append(cause)
    return chain


def _only_carries(cause: Cause, inner: Any) -> bool:
    """Whether an error says no more than the one it was raised from: a step's failure around its exception."""
    if not isinstance(inner, dict):
        return False
    kind, message = str(inner.get("type", "")), str(inner.get("message", ""))
    return cause.message in (message, f"{kind}: {message}") and cause.kind in (kind, "StepFailed")


def _tells_of(causes: Sequence[Cause], error: bytes) -> bool:
    """Whether the failed step is in this chain: a workflow may have handled that and failed later."""
    stored = msgspec.json.decode(error)
    kind, message = stored.get("type", ""), str(stored.get("message", ""))
    return any(cause.kind == kind and cause.message == message for cause in causes)
