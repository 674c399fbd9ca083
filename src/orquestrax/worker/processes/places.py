"""How a child is told which step is meant: by where it is written, because a child imports what it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from orquestrax.base.errors import DefinitionError
from orquestrax.define.checks import place
from orquestrax.worker.processes.messages import Place


def place_of(step: Any) -> Place:
    """Where a step is declared. Errors: DefinitionError if no other process can import it from there."""
    declared = step.declared
    fn = declared.fn
    module, file = fn.__module__, getattr(sys.modules.get(fn.__module__), "__file__", None)
    if module == "__main__":
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        module = spec.name if spec is not None and file is not None else module  # python -m shop.flows
    if file is None or not Path(file).is_file():
        raise DefinitionError(
            f"{place(declared.file, declared.line)}: executor='process': step {declared.name!r} is in no file that a "
            "child process could import: put it into a module"
        )
    return Place(declared.name, module, fn.__module__, str(Path(file).resolve()), fn.__qualname__)
