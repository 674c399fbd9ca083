"""What a node tells the database of its definitions."""

from __future__ import annotations

from typing import Any

import msgspec

from orquestrax.core.store.clientverbs import DefinitionView
from orquestrax.define.workflow import Workflow


def describe(workflow: Workflow[Any, Any]) -> DefinitionView:
    """A definition as it is registered."""
    return DefinitionView(
        name=workflow.name,
        version=workflow.version,
        digest=workflow.digest,
        input_schema=msgspec.json.encode(workflow.signature.input_schema()).decode(),
        output_schema=msgspec.json.encode(workflow.signature.output_schema()).decode(),
        doc=workflow.doc,
        file=workflow.file,
        line=workflow.line,
        source=workflow.source,
        registered_at=0,
        served=True,
        timeout=workflow.options.timeout,
    )
