"""What a node tells people of itself, beside what the cluster needs: which code it has, and how busy it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from orquestrax.core.orchestrator import Orchestrator
from orquestrax.define.workflow import Workflow
from orquestrax.worker.runner import StepRunner


def announced(workflows: Mapping[str, Workflow[Any, Any]]) -> str:
    """Version and digest of each definition, as JSON."""
    code = {
        name: {"version": workflow.version, "digest": workflow.digest}
        for name, workflow in sorted(workflows.items())
    }
    return msgspec.json.encode(code).decode()


def load_of(orchestrator: Orchestrator, runner: StepRunner) -> str:
    """How busy it is, as JSON; read from the heartbeat's thread, so only lengths and counts."""
    load = {
        "held": len(orchestrator.memory.executions),
        "waiting": orchestrator.dispatcher.backlog,
        "used": runner.slots.used,
    }
    return msgspec.json.encode(load).decode()
