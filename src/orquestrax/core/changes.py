"""The options of one call of a step, on their way to another node: only what the call has changed."""

from __future__ import annotations

import builtins
from typing import Any, Final

import msgspec

from orquestrax.model.options import Retry, seconds

_SHIPPED: Final = (
    "executor",
    "timeout",
    "total_timeout",
    "queue_timeout",
    "heartbeat_timeout",
    "memory",
    "at_most_once",
    "transactional",
)


def changes_of(step: Any) -> str:
    """What a call has changed of its step's declared options, as JSON; the rest is for the worker's code to say."""
    if step.declared is step:
        return "{}"
    own, declared = step.options, step.declared.options
    changed = {name: getattr(own, name) for name in _SHIPPED if getattr(own, name) != getattr(declared, name)}
    if own.retry != declared.retry:
        changed["retry"] = _written(own.retry)
    return msgspec.json.encode(changed).decode()


def with_changes(step: Any, queue: str, changes: str) -> Any:
    """The worker's step with the options of the call."""
    values = msgspec.json.decode(changes)
    if "retry" in values:
        values["retry"] = _read(values["retry"], step)
    if queue != step.options.queue:
        values["queue"] = queue
    return step.options(**values) if values else step


def _written(retry: Retry) -> dict[str, Any]:
    """A policy as JSON; exceptions by the names of their classes."""
    kept = {name: getattr(retry, name) for name in ("attempts", "backoff", "jitter")}
    times = {name: _seconds(getattr(retry, name)) for name in ("initial", "max_delay", "max_elapsed")}
    never = [cls.__qualname__ for cls in retry.never]
    return {**kept, **times, "never": never}


def _read(values: dict[str, Any], step: Any) -> Retry:
    """A policy read back; its exceptions are those that the step's module, or Python itself, has by these names."""
    names = {**vars(builtins), **step.fn.__globals__}
    found = [names.get(name) for name in values.pop("never")]
    never = tuple(cls for cls in found if isinstance(cls, type) and issubclass(cls, BaseException))
    return Retry(**values, never=never)


def _seconds(value: Any) -> float | None:
    return None if value is None else seconds(value)
