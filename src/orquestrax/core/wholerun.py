"""What concerns the whole run of an instance: further attempts after a failure, and its time limit.

    … ── failed ──▶ attempt_failed ── back-off, may park ──▶ attempt_started ── … ──▶ the end
    … ── deadline ──▶ timed_out: the code is cancelled and cleans up ──▶ the end, `failed`
                              └── GRACE later ──▶ the end without it, `failed`

Both are moments of the row: it parks no further than the next of them, and whoever owns the instance by then goes on.
"""

from __future__ import annotations

import random
from typing import Final

from orquestrax.base.codec import encode_error
from orquestrax.base.errors import RetryAfter
from orquestrax.core.execution import Execution
from orquestrax.define.workflow import Workflow
from orquestrax.model import events
from orquestrax.model.backoff import delay_after
from orquestrax.model.rows import InstanceRow
from orquestrax.replay.attempts import late

GRACE: Final = 60_000_000  # microseconds that cleaning up may take after the time limit
_random: Final = random.Random()


def deadline_of(workflow: Workflow[..., object], created_at: int) -> int | None:
    """When an instance of this age is out of time; None if it may take for ever."""
    limit = workflow.options.timeout
    return None if limit is None else created_at + round(limit * 1_000_000)


def is_late(row: InstanceRow, now: int) -> bool:
    """Whether an instance that cannot run is over its time limit."""
    return row.deadline is not None and row.deadline <= now


def late_error(row: InstanceRow) -> bytes:
    """The stored error of an instance that ran out of time without its code."""
    return encode_error(late(((row.deadline or 0) - row.created_at) / 1_000_000))


def plan_attempt(execution: Execution, now: int) -> bool:
    """After a failure of the whole run: write down the next attempt. False if there is none: then it is the end."""
    finish, replay, error = execution.finish, execution.replay, execution.replay.error
    if execution.ended or execution.late or finish is None or error is None:
        return False
    delay = _delay(execution, error, now)
    due = now + round((delay or 0.0) * 1_000_000)
    if delay is None or (execution.deadline is not None and due >= execution.deadline):
        return False
    failed = events.AttemptFailed(
        attempt=replay.attempt,
        node=execution.node,
        due=due,
        error=events.raw(finish.payload),
        kept=[signal.number for signal in replay.machine.mailbox.kept()],
    )
    execution.happened(events.ATTEMPT_FAILED, failed, now)
    execution.finish, execution.again_at = None, due
    execution.retries.clear()
    return True


def _delay(execution: Execution, error: BaseException, now: int) -> float | None:
    retry = execution.workflow.options.retry
    if isinstance(error, retry.never):
        return None
    wanted = error.seconds if isinstance(error, RetryAfter) else None
    elapsed = (now - execution.replay.identity.started_at) / 1_000_000
    return delay_after(retry, execution.replay.attempt, wanted=wanted, elapsed=elapsed, rng=_random)


def start_attempt(execution: Execution, now: int) -> None:
    """The back-off is over: the code begins anew."""
    execution.again_at = None
    started = events.AttemptStarted(attempt=execution.replay.attempt, node=execution.node)
    execution.happened(events.ATTEMPT_STARTED, started, now)


def time_out(execution: Execution, now: int, grace: int) -> None:
    """The run is over its time limit: its code is cancelled."""
    since = execution.replay.identity.started_at
    stored = ((execution.deadline or now) - since) / 1_000_000  # the code may have no limit any more
    execution.late = execution.workflow.options.timeout or stored
    execution.deadline = now + grace
    timed_out = events.TimedOut(seconds=execution.late, until=now + grace, node=execution.node)
    execution.happened(events.TIMED_OUT, timed_out, now)
    execution.again_at = None


def cut(execution: Execution) -> None:
    """Its code has not ended in time after the time limit: it ends without it."""
    execution.cut(encode_error(late(execution.late)))
