"""New tasks as the columns of `insert_tasks`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from orquestrax.model.tasks import NewTask


def columns_of(new: Sequence[tuple[UUID, NewTask]]) -> list[list[Any]]:
    """In the order of the statement's parameters. Further attempts were under way already: lane 0."""
    return [
        [key for key, _ in new],
        [task.command for _, task in new],
        [task.step for _, task in new],
        [task.queue for _, task in new],
        [task.executor for _, task in new],
        [0 if task.attempt > 1 else 1 for _, task in new],
        [task.attempt for _, task in new],
        [task.asked_at for _, task in new],
        [task.first_at for _, task in new],
        [task.once for _, task in new],
        [task.input.decode() for _, task in new],
        [task.options for _, task in new],
        [task.expires_at for _, task in new],
        [task.expiry for _, task in new],
    ]
