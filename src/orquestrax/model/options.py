"""What a user may set on a step or a workflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from orquestrax.base.errors import DefinitionError

Seconds = float | timedelta
Executor = Literal["async", "thread", "process"]
EXECUTORS: tuple[Executor, ...] = ("async", "thread", "process")


def seconds(value: Seconds) -> float:
    """A duration in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and when a failed step, or a failed run of a workflow, is tried again.

    attempts     how many in all, the first one included (at least 1)
    initial      delay before the second attempt, in seconds
    backoff      factor from one delay to the next (at least 1)
    max_delay    the longest delay, in seconds
    jitter       each delay is stretched or shrunk at random by up to this share (0 to 1)
    max_elapsed  no attempt begins later than this many seconds after the first one began
    never        exceptions that are final at once

    Errors: DefinitionError names the option that is wrong.
    """

    attempts: int = 3
    initial: Seconds = 1.0
    backoff: float = 2.0
    max_delay: Seconds = 60.0
    jitter: float = 0.1
    max_elapsed: Seconds | None = None
    never: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        _require("attempts", self.attempts, _is_count(self.attempts), "a whole number, at least 1")
        for name in ("initial", "max_delay"):
            value = getattr(self, name)
            _require(name, value, _is_delay(value), "seconds or a timedelta, not negative")
        _require(
            "max_elapsed",
            self.max_elapsed,
            self.max_elapsed is None or _is_delay(self.max_elapsed),
            "seconds or a timedelta, not negative, or None for no limit",
        )
        _require("backoff", self.backoff, _is_number(self.backoff) and self.backoff >= 1, "at least 1")
        _require("jitter", self.jitter, _is_number(self.jitter) and 0 <= self.jitter <= 1, "a share, 0 to 1")
        _require("never", self.never, _are_errors(self.never), "exception classes, in a tuple")


def _require(name: str, value: object, fits: bool, wanted: str) -> None:
    if not fits:
        raise DefinitionError(f"Retry({name}={value!r}): {name} is {wanted}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_delay(value: Any) -> bool:
    return (_is_number(value) or isinstance(value, timedelta)) and seconds(value) >= 0


def _are_errors(value: object) -> bool:
    kinds = value if isinstance(value, tuple) else (value,)
    return all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds)


ONCE = Retry(attempts=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """Everything about a step that is not its code. Times in seconds, None means no limit.

    timeout            one attempt, from its start
    total_timeout      all attempts with the waits between them, from when the step was asked for
    queue_timeout      from when the step was asked for until its first attempt starts
    heartbeat_timeout  from one heartbeat of an attempt, or its start, to the next
    memory             bytes that the process of an attempt may allocate
    raises             exceptions that reach the workflow as themselves
    limited            whether any of the first three limits is set
    at_most_once       begun once, and never again after its node was lost
    transactional      its effects in the engine's database are committed together with its result
    """

    queue: str = "default"
    retry: Retry = ONCE
    timeout: float | None = None
    total_timeout: float | None = None
    queue_timeout: float | None = None
    heartbeat_timeout: float | None = None
    executor: Executor = "async"
    memory: int | None = None
    raises: tuple[type[BaseException], ...] = ()
    at_most_once: bool = False
    transactional: bool = False
    limited: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        limits = self.timeout, self.total_timeout, self.queue_timeout
        object.__setattr__(self, "limited", limits != (None, None, None))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowOptions:
    """Everything about a workflow that is not its code.

    timeout  seconds from its start, in which all attempts must have ended, None means no limit
    retry    how often a failed run is run again from its input
    """

    version: str = ""
    timeout: float | None = None
    retry: Retry = ONCE
