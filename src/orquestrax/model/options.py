"""What a user may set on a step or a workflow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Seconds = float | timedelta
Executor = Literal["async", "thread", "process"]


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
    """

    attempts: int = 3
    initial: Seconds = 1.0
    backoff: float = 2.0
    max_delay: Seconds = 60.0
    jitter: float = 0.1
    max_elapsed: Seconds | None = None
    never: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"Retry(attempts={self.attempts}): there is at least one attempt")
        if seconds(self.initial) < 0 or seconds(self.max_delay) < 0:
            raise ValueError("Retry(initial=…, max_delay=…): delays are not negative")
        if self.backoff < 1:
            raise ValueError(f"Retry(backoff={self.backoff}): the factor is at least 1")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"Retry(jitter={self.jitter}): a share from 0 to 1")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowOptions:
    """Everything about a workflow that is not its code.

    timeout  seconds from its start, in which all attempts must have ended, None means no limit
    retry    how often a failed run is run again from its input
    """

    version: str = ""
    timeout: float | None = None
    retry: Retry = ONCE
