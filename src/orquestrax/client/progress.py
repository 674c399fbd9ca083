"""How far running steps are, as clients see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orquestrax.client.views import decoded, moment
from orquestrax.core.store.progress import ProgressView


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """What a running step last said of itself, by `ox.progress` or `ox.heartbeat`.

    command  the number of the step within its instance, as in its events; `attempt` said it
    node     name of the node that runs it
    done     how far it is, of `total`; None where it has not said
    details  of its last heartbeat, None if there was none with details
    """

    command: int
    attempt: int
    node: str | None
    done: float | None
    total: float | None
    note: str
    details: Any
    told_at: datetime

    @classmethod
    def of(cls, view: ProgressView) -> StepProgress:
        """From a row."""
        return cls(
            command=view.command,
            attempt=view.attempt,
            node=view.node,
            done=view.done,
            total=view.total,
            note=view.note,
            details=decoded(view.details),
            told_at=moment(view.told_at),
        )
