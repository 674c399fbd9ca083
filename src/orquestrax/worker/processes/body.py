"""What runs in the task of an attempt whose body is in a child process."""

from __future__ import annotations

from msgspec import UNSET

from orquestrax.base.logs import origin
from orquestrax.model.jobs import Result
from orquestrax.worker.attempt import Attempt
from orquestrax.worker.foreign import ForeignError
from orquestrax.worker.processes.messages import Returned
from orquestrax.worker.processes.pool import ProcessPool


async def run_in_process(attempt: Attempt, pool: ProcessPool) -> Result | BaseException:
    """Run the body of a plain step in a child; when this task is cancelled, the child has been killed at its end."""
    origin.set(attempt)
    try:
        outcome = await pool.run(attempt)
    except BaseException as exc:  # noqa: BLE001 - as in `worker.bodies`
        return exc
    if isinstance(outcome, Returned):
        return outcome.result, UNSET
    return ForeignError(outcome.error, outcome.lineage, outcome.after)
