"""Outcomes of tasks as messages to their instances."""

from __future__ import annotations

from typing import Final

import msgspec

from orquestrax.base import failures
from orquestrax.base.errors import StepInterrupted
from orquestrax.core.delivery import RESULT, step_ended, step_retrying
from orquestrax.core.once import interrupted
from orquestrax.model import events
from orquestrax.model.jobs import Errored, Job, Succeeded
from orquestrax.model.tasks import ClaimedTask, Expiry, TaskMessage
from orquestrax.worker.limits import Limit

LAST: Final = 2  # deaths after which a step runs once more, alone
_EXPIRY: Final = msgspec.json.Decoder(Expiry).decode


def ended(job: Job, outcome: Succeeded | Errored, node: str) -> TaskMessage:
    """The end of an attempt. One that another follows is the owner's to arrange again."""
    if isinstance(outcome, Succeeded):
        data = step_ended(job, outcome, node, msgspec.Raw(outcome.result))
        return _message(job, RESULT, data)
    if outcome.delay is None:
        return _message(job, RESULT, step_ended(job, outcome, node, None, events.raw(outcome.error)))
    return _message(job, events.STEP_RETRYING, step_retrying(job, outcome, node))


def started(job: Job, started_at: int, node: str) -> TaskMessage:
    """The body has been running for a while."""
    data = events.StepStarted(job.key.command, job.step.name, job.attempt, node, started_at)
    return _message(job, events.STEP_STARTED, data, ends=False)


def failed(task: ClaimedTask, error: BaseException, node: str, now: int) -> TaskMessage:
    """A task that is not run here fails at once, for good."""
    data = events.StepEnded(
        command=task.command,
        step=task.step,
        attempt=task.attempt,
        node=node,
        started_at=task.started_at or now,
        ended_at=max(now, task.started_at or now),
        error=events.raw(failures.encode(error, step=task.step)),
    )
    return TaskMessage(
        instance=task.instance,
        command=task.command,
        attempt=task.attempt,
        kind=RESULT,
        step=task.step,
        message=_id(RESULT, task.instance, task.command, task.attempt),
        payload=events.encode(data).decode(),
    )


def lost(task: ClaimedTask, now: int) -> TaskMessage:
    """A step whose node died with it, and that is not run again: at-most-once, or to blame for the death."""
    node, nodes = task.lost or "", task.suspicion
    if nodes > LAST:
        error = StepInterrupted(
            f"step {task.step!r} is not run again: {nodes} nodes in a row died while they ran it, and on the last one, "
            f"{node}, it was the only suspect",
            step=task.step,
        )
        return failed(task, error, node, now)
    return failed(task, interrupted(task.step, node), node, now)


def expired(task: ClaimedTask, now: int) -> TaskMessage:
    """A step that nobody has taken in time."""
    why = _EXPIRY(task.expiry or "")
    return failed(task, Limit(0, why.option, why.seconds).error(task.step), "", now)


def refused(message: TaskMessage, error: BaseException) -> TaskMessage:
    """In place of what the database does not take: the step has failed."""
    told = msgspec.json.decode(message.payload)
    data = events.StepEnded(
        command=message.command,
        step=message.step,
        attempt=message.attempt,
        node=told.get("node", ""),
        started_at=told.get("started_at", 0),
        ended_at=told.get("ended_at", 0),
        error=events.raw(failures.encode(error, step=message.step)),
    )
    return msgspec.structs.replace(message, kind=RESULT, ends=True, payload=events.encode(data).decode())


def _message(job: Job, kind: str, data: msgspec.Struct, *, ends: bool = True) -> TaskMessage:
    return TaskMessage(
        instance=job.key.instance,
        command=job.key.command,
        attempt=job.attempt,
        kind=kind,
        step=job.step.name,
        message=_id(kind, job.key.instance, job.key.command, job.attempt),
        payload=events.encode(data).decode(),
        ends=ends,
    )


def _id(kind: str, instance: object, command: int, attempt: int) -> str:
    """One result a command, whoever tells it; one of each other message an attempt."""
    return f"step {instance}:{command}" if kind == RESULT else f"{kind} {instance}:{command}:{attempt}"
