"""What people see of the cluster's queues."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orquestrax.client.views import as_datetime
from orquestrax.model.tasks import QueueView


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """One queue, as far as its steps have left the node of their instance.

    waiting    steps that no node has taken yet
    running    steps that a node has taken
    oldest     since when the first of those that wait does; None if none does
    served_by  the live nodes that serve it
    """

    queue: str
    waiting: int
    running: int
    oldest: datetime | None
    served_by: list[str]

    @staticmethod
    def of(view: QueueView) -> QueueStatus:
        """From what the store says."""
        return QueueStatus(
            queue=view.queue,
            waiting=view.waiting,
            running=view.running,
            oldest=None if view.oldest is None else as_datetime(view.oldest),
            served_by=view.served_by,
        )
