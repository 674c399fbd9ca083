"""What a node serves: the definitions that its modules define or import, or exactly those it is handed.

Found are the workflows and steps among a module's names, among the names of the modules that it imported if
these declare something too, and the steps that a found workflow's own module (or enclosing function) sees.
Nothing is found because some other part of the process happened to import it: two nodes in one test have
nothing in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeVar

from orquestrax.base.errors import DuplicateDefinition
from orquestrax.define.checks import place
from orquestrax.define.modules import load_modules
from orquestrax.define.record import declares
from orquestrax.define.step import Step
from orquestrax.define.workflow import Workflow

__all__ = ["Catalogue", "collect", "load_modules"]

D = TypeVar("D", Workflow[..., Any], Step[..., Any])


class Catalogue:
    """Definitions by name. Two of one name are a DuplicateDefinition, unless they are the same function."""

    def __init__(self) -> None:
        self.workflows: dict[str, Workflow[..., Any]] = {}
        self.steps: dict[str, Step[..., Any]] = {}

    def add(self, definition: Any) -> None:
        """Take a workflow with the steps that its code sees, or a step."""
        if _is(definition, Step):
            _put(self.steps, definition.declared, "steps")
        elif _is(definition, Workflow) and _put(self.workflows, definition, "workflows"):
            for step in _seen_by(definition):
                self.add(step)


def collect(
    modules: Iterable[ModuleType] = (),
    workflows: Iterable[Workflow[..., Any]] = (),
    steps: Iterable[Step[..., Any]] = (),
) -> Catalogue:
    """The definitions of these modules and of these lists. Errors: DuplicateDefinition names both places."""
    catalogue = Catalogue()
    for definition in (*steps, *workflows):
        catalogue.add(definition)
    for names in _namespaces(modules):
        for value in names.values():
            catalogue.add(value)
    return catalogue


def _is(value: Any, cls: type) -> bool:
    """As isinstance, without asking the value: lazy objects of frameworks set themselves up when asked."""
    return issubclass(type(value), cls)


def _namespaces(modules: Iterable[ModuleType]) -> Iterator[Mapping[str, Any]]:
    """The names of these modules and of the declaring modules among their names, each module once."""
    waiting, seen = list(modules), set[int]()
    while waiting:
        module = waiting.pop(0)
        if id(module) in seen:
            continue
        seen.add(id(module))
        names = dict(vars(module))
        yield names
        waiting += [v for v in names.values() if _is(v, ModuleType) and declares(v.__name__)]


def _seen_by(workflow: Workflow[..., Any]) -> list[Step[..., Any]]:
    """The steps among the globals and enclosing variables of a workflow's function, or in modules there."""
    fn = workflow.fn
    if not isinstance(fn, FunctionType):
        return []
    values = [*fn.__globals__.values(), *_enclosed(fn)]
    modules = [v for v in values if _is(v, ModuleType) and declares(v.__name__)]
    values += [value for names in _namespaces(modules) for value in names.values()]
    return [value for value in values if _is(value, Step)]


def _enclosed(fn: FunctionType) -> Iterator[Any]:
    for cell in fn.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a variable that has no value yet
            continue


def _put(known: dict[str, D], definition: D, kind: str) -> bool:
    """Whether the definition was new. DuplicateDefinition if another one has its name."""
    other = known.setdefault(definition.name, definition)
    if other is definition:
        return True
    if not _same(other, definition):
        raise DuplicateDefinition(
            f"two {kind} are named {definition.name!r}: {place(other.file, other.line)} and "
            f"{place(definition.file, definition.line)}; give one of them another name with name="
        )
    return False


def _same(one: D, other: D) -> bool:
    """One function, perhaps imported under two module names, or the same step with other options."""
    if one.fn is other.fn:
        return True
    places = [(Path(d.file).resolve(), d.line, d.fn.__qualname__) for d in (one, other)]
    made_twice = one.fn.__module__ == other.fn.__module__ and "<locals>" in one.fn.__qualname__
    return places[0] == places[1] and not made_twice
