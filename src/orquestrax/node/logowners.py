"""Whose records a node keeps: those of instances in its memory and of bodies that it runs.

Nodes of one process share the logging of that process, so each must know its own.
"""

from __future__ import annotations

from uuid import UUID

from orquestrax.base.logs import Origin
from orquestrax.core.memory import Memory
from orquestrax.replay.instance import Replay
from orquestrax.worker.attempt import Attempt
from orquestrax.worker.runner import StepRunner


class LogOwners:
    """Asked in whatever thread logs: it only looks things up."""

    def __init__(self, memory: Memory, runner: StepRunner) -> None:
        self._memory, self._runner = memory, runner

    def __call__(self, source: Origin) -> UUID | None:
        """The instance that this code belongs to; None if it is not this node's, or nobody's any more."""
        match source:
            case Replay(identity=identity):
                execution = self._memory.executions.get(identity.key)
                return identity.key if execution is not None and execution.replay is source else None
            case Attempt(job=job):
                mine = self._runner.running.get(job.key) is job or source in self._runner.abandoned
                return job.key.instance if mine else None
            case _:
                return None
