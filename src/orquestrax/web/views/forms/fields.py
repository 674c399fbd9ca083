"""Shape and typed texts together: the fields that a template shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orquestrax.web.views.forms.shape import ROOT, Shape
from orquestrax.web.views.forms.typed import length


@dataclass(frozen=True, slots=True)
class Field:
    """One field; `name` is its path, `problem` the sentence about what was typed."""

    name: str
    shape: Shape
    text: str
    problem: str
    label: str
    fields: tuple[Field, ...] = ()


def fields_of(
    shape: Shape, typed: Mapping[str, str], problems: Mapping[str, str], path: str = ROOT, label: str = ""
) -> Field:
    """The field of a shape with all that is below it."""
    if shape.kind == "group":
        below = [fields_of(part, typed, problems, f"{path}.{key}", key) for key, part in shape.parts.items()]
    elif shape.kind == "list" and shape.item is not None:
        item = shape.item
        below = [
            fields_of(item, typed, problems, f"{path}.{n}", str(n + 1)) for n in range(length(typed, path))
        ]
    else:
        below = []
    return Field(path, shape, typed.get(path, ""), problems.get(path, ""), label or shape.label, tuple(below))


def find(shape: Shape, path: str) -> Shape | None:
    """The shape that a path leads to."""
    found: Shape | None = shape
    for part in path.split(".")[1:]:
        if found is None:
            return None
        found = found.parts.get(part) if found.kind == "group" else found.item
    return found
