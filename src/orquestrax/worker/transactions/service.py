"""What all transactional attempts of a node share: its fence, how many at once, and who looks up outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from orquestrax.core.store.conclusion import Conclusion, Looker
from orquestrax.core.store.database import Address
from orquestrax.core.store.fence import Fence
from orquestrax.model import events
from orquestrax.worker.attempt import Attempt
from orquestrax.worker.transactions.sessions import session_of

AT_ONCE: Final = 20  # connections that the steps of a node take at most


class Transactions:
    """Belongs to one incarnation, as its fence does."""

    def __init__(self, address: Address, fence: Fence, node: str, now: Callable[[], int]) -> None:
        self._address, self._fence, self._node, self.now = address, fence, node, now
        self.room = asyncio.Semaphore(AT_ONCE)
        self.deadline = address.deadline
        self.looker = Looker(address, fence)

    def session(self, attempt: Attempt) -> Any:
        """A connection for this attempt, not open yet."""
        return session_of(attempt.job.step.transaction, self._address, self._fence.steps_name)

    def conclusion(self, attempt: Attempt) -> Conclusion:
        """How its transaction begins and ends."""
        job = attempt.job
        return Conclusion(
            self._fence,
            self._address.schema,
            job.key.instance,
            job.key.command,
            job.step.name,
            claimed=job.attempt if job.claimed else None,
        )

    def payload(self, attempt: Attempt, result: bytes) -> str:
        """The message to the instance: the event that it will become."""
        ended = events.StepEnded(
            command=attempt.job.key.command,
            step=attempt.job.step.name,
            attempt=attempt.job.attempt,
            node=self._node,
            started_at=attempt.started_at,
            ended_at=self.now(),
            result=events.raw(result),
        )
        return events.encode(ended).decode()

    def close(self) -> None:
        """This incarnation ends: what is not known yet is for its successor to read."""
        self.looker.closed = True
