"""The syntax tree of a function, and the lines of its file with `# ox: allow`."""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from orquestrax.base.allowance import allows

Node = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """A file: its functions by name and first line (decorators included), and the lines that are allowed."""

    functions: dict[tuple[str, int], Node] = field(default_factory=dict)
    allowed: frozenset[int] = frozenset()

    def allows(self, first: int, last: int | None = None) -> bool:
        """Whether one of these lines says so."""
        return any(line in self.allowed for line in range(first, (last or first) + 1))


class Sources:
    """Files as they are read, each of them once."""

    def __init__(self) -> None:
        self._files: dict[str, Source] = {}

    def of(self, function: FunctionType) -> tuple[Source, Node] | None:
        """A function's file and tree; None for what has no source, or another one than it was made of."""
        code = function.__code__
        source = self._file(code.co_filename, function.__globals__)
        node = source.functions.get((code.co_name, code.co_firstlineno))
        return None if node is None else (source, node)

    def _file(self, file: str, names: dict[str, Any]) -> Source:
        if file not in self._files:
            self._files[file] = _read(file, names)
        return self._files[file]


def _read(file: str, names: dict[str, Any]) -> Source:
    lines = linecache.getlines(file, names)
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError, SystemError):  # the last: Python 3.11 counts its depth wrongly at times
        return Source()
    functions = {
        (node.name, first_line(node)): node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return Source(functions, frozenset(n for n, line in enumerate(lines, 1) if allows(line)))


def first_line(node: Node) -> int:
    """The line of the first decorator, or of the `def`."""
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])
