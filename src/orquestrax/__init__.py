"""OrquestraX: durable workflows in plain asyncio, on PostgreSQL.

The public face: names handed on, nothing defined. What only declares is imported at once; what talks to a
database is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from orquestrax.base.errors import (
    BlockingCall,
    Conflict,
    DatabaseError,
    DatabaseUnreachable,
    DefinitionError,
    DuplicateDefinition,
    EmbeddedServerError,
    Fenced,
    ForbiddenInWorkflow,
    InstanceEnded,
    InvalidId,
    InvalidInput,
    InvalidState,
    MemoryLimitExceeded,
    NonDeterminism,
    NotFound,
    NotInWorkflow,
    OrquestraxError,
    PayloadError,
    PayloadTooLarge,
    ProcessCrashed,
    Rejected,
    RetryAfter,
    SchemaMismatch,
    SettingsError,
    StepFailed,
    StepInterrupted,
    StepTimedOut,
    TransactionEnded,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowTerminated,
    WorkflowTimedOut,
)
from orquestrax.define.call import Call
from orquestrax.define.resource import Resource, resource, use
from orquestrax.define.step import Step, step
from orquestrax.define.transaction import transaction
from orquestrax.define.workflow import Workflow, workflow
from orquestrax.model.options import Retry
from orquestrax.replay.bridge import await_, to_greenlet
from orquestrax.replay.context import info, now, random, receive, uuid4
from orquestrax.worker.info import StepInfo, step_info
from orquestrax.worker.progress import heartbeat, progress

if TYPE_CHECKING:
    from orquestrax import testing
    from orquestrax.client.blocking import connect_sync
    from orquestrax.client.client import Client
    from orquestrax.client.connect import connect
    from orquestrax.client.handle import Run
    from orquestrax.node.node import node
    from orquestrax.node.program import run

__all__ = [
    "BlockingCall",
    "Call",
    "Client",
    "Conflict",
    "DatabaseError",
    "DatabaseUnreachable",
    "DefinitionError",
    "DuplicateDefinition",
    "EmbeddedServerError",
    "Fenced",
    "ForbiddenInWorkflow",
    "InstanceEnded",
    "InvalidId",
    "InvalidInput",
    "InvalidState",
    "MemoryLimitExceeded",
    "NonDeterminism",
    "NotFound",
    "NotInWorkflow",
    "OrquestraxError",
    "PayloadError",
    "PayloadTooLarge",
    "ProcessCrashed",
    "Rejected",
    "Resource",
    "Retry",
    "RetryAfter",
    "Run",
    "SchemaMismatch",
    "SettingsError",
    "Step",
    "StepFailed",
    "StepInfo",
    "StepInterrupted",
    "StepTimedOut",
    "TransactionEnded",
    "Workflow",
    "WorkflowCancelled",
    "WorkflowFailed",
    "WorkflowTerminated",
    "WorkflowTimedOut",
    "await_",
    "connect",
    "connect_sync",
    "heartbeat",
    "info",
    "node",
    "now",
    "progress",
    "random",
    "receive",
    "resource",
    "run",
    "step",
    "step_info",
    "testing",
    "to_greenlet",
    "transaction",
    "use",
    "uuid4",
    "workflow",
]

_PLACES = {
    "Client": "orquestrax.client.client",
    "Run": "orquestrax.client.handle",
    "connect": "orquestrax.client.connect",
    "connect_sync": "orquestrax.client.blocking",
    "node": "orquestrax.node.node",
    "run": "orquestrax.node.program",
}

# `node` is the function. The package of that name is imported here and now, so that its later import, by
# whomever, does not put itself in the function's place.
import_module("orquestrax.node")
del globals()["node"]


def __getattr__(name: str) -> Any:
    if name == "testing":
        return import_module("orquestrax.testing")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
