"""The source of a workflow with the line where an instance now waits. Pure."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orquestrax.core.store.clientverbs import DefinitionView


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `waits` if the instance waits here."""

    number: int
    text: str
    waits: bool


def marked(
    definition: DefinitionView, waits: Iterable[dict[str, object]], steps: Sequence[str]
) -> list[Line]:
    """The lines of a definition. `waits` know theirs; of running steps (by name) the call is looked up."""
    lines = {wait["line"] for wait in waits if wait.get("file") == definition.file}
    lines |= {definition.line + offset for offset in _calls(definition.source, steps)}
    return [
        Line(number, text, number in lines)
        for number, text in enumerate(definition.source.splitlines(), start=definition.line)
    ]


def _calls(source: str, steps: Sequence[str]) -> set[int]:
    """Where the named steps are called, as offsets from the first line; a name called twice marks nothing."""
    wanted = {name.rpartition(".")[2] for name in steps}
    if not wanted:
        return set()
    try:
        tree = ast.parse(textwrap.dedent(source))
    except SyntaxError:
        return set()
    found: dict[str, set[int]] = {}
    for node in ast.walk(tree):
        name = _called(node)
        if name in wanted:
            found.setdefault(name, set()).add(node.lineno - 1)  # type: ignore[attr-defined]
    return {next(iter(offsets)) for offsets in found.values() if len(offsets) == 1}


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    if isinstance(function, ast.Call) and isinstance(function.func, ast.Attribute):  # step.options(…)(…)
        function = function.func.value
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
