"""Finds steps in a child, by importing the modules that declare them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from orquestrax.base.errors import DefinitionError
from orquestrax.define.modules import load_modules
from orquestrax.define.step import Step
from orquestrax.worker.processes.messages import Place


class Finder:
    """Steps by place, found once.

    on_import  called after modules were imported
    names      of modules that go by another name in the node: that name
    """

    def __init__(self, on_import: Callable[[], None]) -> None:
        self._on_import = on_import
        self._steps: dict[Place, Step[..., Any]] = {}
        self.names: Final[dict[str, str]] = {}

    def find(self, place: Place) -> Step[..., Any]:
        """The step. Errors: DefinitionError, NotFound, in one sentence."""
        step = self._steps.get(place)
        if step is None:
            step = self._steps[place] = _search(self._module(place), place)
        return step

    def _module(self, place: Place) -> ModuleType:
        # Byte code is told from its source by whole seconds: none is left behind, as files may change at any time.
        sys.dont_write_bytecode = True
        try:
            module = _import(place)
        finally:
            sys.dont_write_bytecode = False
            self._on_import()
        if module.__name__ != place.known_as:
            self.names[module.__name__] = place.known_as
        return module


def _import(place: Place) -> ModuleType:
    """By its name, if that is the name of its file; else by its file, as for a script."""
    if place.module != "__main__" and _origin(place.module) == place.file:
        return load_modules([place.module])[0]
    return load_modules([place.file])[0]


def _origin(module: str) -> str | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return str(Path(spec.origin).resolve()) if spec is not None and spec.origin else None


def _search(module: ModuleType, place: Place) -> Step[..., Any]:
    """Where its qualified name says, else among the names of its module."""
    found: Any = module
    for part in place.qualname.split("."):
        found = getattr(found, part, None)
    for value in (found, *vars(module).values()):
        # As isinstance, without asking the value: lazy objects of frameworks set themselves up when asked.
        if issubclass(type(value), Step) and (value.name, value.fn.__qualname__) == (
            place.name,
            place.qualname,
        ):
            declared: Step[..., Any] = value.declared
            return declared
    raise DefinitionError(
        f"a child process finds no step {place.name!r} in {place.file}: give it a name at the top level of its module"
    )
