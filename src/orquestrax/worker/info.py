"""`step_info()`: what a body may know about itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from orquestrax.base.errors import NotInWorkflow
from orquestrax.base.logs import Names, origin
from orquestrax.worker.attempt import Attempt
from orquestrax.worker.pulse import Told

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class StepInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt that runs the calling code.

    instance_id      id of the workflow instance, as its starter chose it
    definition       name of the workflow
    step             name of the step
    attempt          1 for the first
    command          number of the step within its instance
    idempotency_key  the same for every attempt of this step, and for no other step: hand it to services that
                     offer idempotent requests
    asked_at         when the workflow asked for the step (UTC, the database's clock)
    deadline         when this attempt will be cut by `timeout` or `total_timeout`; None if never
    heartbeat        details of the last `heartbeat(…)` of an earlier attempt, on whichever node; None without
    """

    instance_id: str
    definition: str
    step: str
    attempt: int
    command: int
    idempotency_key: str
    asked_at: datetime
    deadline: datetime | None
    heartbeat: Any = None


class Informed:
    """Code under way in another process than its attempt: it carries what it may know."""

    info: StepInfo
    names: Names

    def say(self, told: Told) -> None:
        """The body tells of itself."""
        raise NotImplementedError


def step_info() -> StepInfo:
    """The attempt of a step that runs this code: in coroutines and their tasks, and in threads and child processes.

    Errors: NotInWorkflow when no node runs this code as a step.
    """
    source = origin.get()
    if isinstance(source, Attempt):
        return info_of(source)
    if isinstance(source, Informed):
        return source.info
    raise NotInWorkflow("step_info() was called where no step runs: call it from the body of a step")


def info_of(attempt: Attempt) -> StepInfo:
    """What the body of this attempt may know."""
    job, limit = attempt.job, attempt.limit
    before = None if attempt.pulse is None else attempt.pulse.before
    return StepInfo(
        instance_id=job.instance_id,
        definition=job.definition,
        step=job.step.name,
        attempt=job.attempt,
        command=job.key.command,
        idempotency_key=f"{job.key.instance}:{job.key.command}",
        asked_at=_moment(job.asked_at),
        deadline=None if limit is None else _moment(limit.at),
        heartbeat=None if before is None else msgspec.json.decode(before),
    )


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)
