"""What comes of steps by message, from transactional steps and from nodes that took steps from a queue.

step            the final outcome, a `StepEnded`: with its error, if it has one, a failure
step_retrying   an attempt failed, and another one is to be arranged: by the owner, as for a step of its own
step_started    an attempt has been running for a while
"""

from __future__ import annotations

from typing import Final

import msgspec

from orquestrax.core.execution import Execution
from orquestrax.core.pausing import conclude
from orquestrax.core.retries import RetryAt
from orquestrax.model import events
from orquestrax.model.commands import RunStep
from orquestrax.model.jobs import Errored, Job, Outcome
from orquestrax.model.rows import Message

RESULT: Final = "step"
KINDS: Final = frozenset({RESULT, events.STEP_RETRYING, events.STEP_STARTED})
_ENDED: Final = msgspec.json.Decoder(events.StepEnded).decode
_RETRYING: Final = msgspec.json.Decoder(events.StepRetrying).decode
_STARTED: Final = msgspec.json.Decoder(events.StepStarted).decode


def deliver(execution: Execution, message: Message, now: int) -> None:
    """The message becomes history. If the code has stopped waiting for the step, that is all."""
    payload = message.payload or ""
    if message.kind == RESULT:
        _end(execution, _ENDED(payload), now)
    elif message.kind == events.STEP_RETRYING:
        _retry(execution, _RETRYING(payload), now)
    else:
        _begin(execution, _STARTED(payload), now)


def _end(execution: Execution, ended: events.StepEnded, now: int) -> None:
    if execution.queue is not None:
        execution.queue.commands.discard(ended.command)
    if isinstance(execution.replay.open.get(ended.command), RunStep):
        conclude(execution, ended, now)


def _retry(execution: Execution, retrying: events.StepRetrying, now: int) -> None:
    command = execution.replay.open.get(retrying.command)
    if execution.queue is not None:
        execution.queue.commands.discard(retrying.command)
    if isinstance(command, RunStep):
        execution.retries[retrying.command] = RetryAt(retrying.due, retrying.attempt + 1, retrying.first_at)
        execution.happened(events.STEP_RETRYING, retrying, now)
        execution.queued.again.append(command)


def _begin(execution: Execution, started: events.StepStarted, now: int) -> None:
    command = execution.replay.open.get(started.command)
    if isinstance(command, RunStep):
        placed = msgspec.structs.replace(started, file=command.file, line=command.line)
        execution.noted(events.STEP_STARTED, placed, now)


def step_ended(
    job: Job, outcome: Outcome, node: str, result: events.MaybeRaw, error: events.MaybeRaw = None
) -> events.StepEnded:
    """The final outcome of a step, with its result or error."""
    return events.StepEnded(
        job.key.command,
        job.step.name,
        job.attempt,
        node,
        outcome.started_at,
        outcome.ended_at,
        result,
        error,
    )


def step_retrying(job: Job, outcome: Errored, node: str) -> events.StepRetrying:
    """A failed attempt that another one follows, after `outcome.delay`."""
    return events.StepRetrying(
        command=job.key.command,
        step=job.step.name,
        attempt=job.attempt,
        node=node,
        started_at=outcome.started_at,
        ended_at=outcome.ended_at,
        first_at=outcome.started_at if job.first_at is None else job.first_at,
        due=outcome.ended_at + int((outcome.delay or 0.0) * 1_000_000),
        error=events.raw(outcome.error),
    )
