"""The functions that a workflow reaches in users' own modules, each looked at once."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable
from types import FunctionType
from typing import Any, Final

from orquestrax.define.checks import innermost
from orquestrax.define.linter.findings import Finding
from orquestrax.define.linter.inference import Inference
from orquestrax.define.linter.references import Homes, Surroundings
from orquestrax.define.linter.scopes import Bindings
from orquestrax.define.linter.sources import Node, Source, Sources, first_line
from orquestrax.define.linter.walk import Walk
from orquestrax.define.modules import is_users
from orquestrax.define.workflow import Workflow

_MOST: Final = 500  # functions: a workflow that reaches more is a program


def lint(workflows: Iterable[Workflow[..., Any]]) -> list[Finding]:
    """What in the code of these workflows cannot be deterministic or durable, by file and line.

    What several of them reach is reported for the first. Never raises for what the code looks like.
    """
    sources, homes = Sources(), Homes()
    found: dict[tuple[str, int, str], Finding] = {}
    for workflow in workflows:
        for finding in _Lint(workflow, sources, homes).run():
            found.setdefault((finding.file, finding.line, finding.what), finding)
    return sorted(found.values())


class _Lint:
    """One workflow."""

    def __init__(self, workflow: Workflow[..., Any], sources: Sources, homes: Homes) -> None:
        self._workflow, self._sources, self._homes = workflow, sources, homes
        self._root = innermost(workflow.fn)
        self._in_plain = False
        self._found: list[Finding] = []

    def run(self) -> list[Finding]:
        read = self._sources.of(self._root)
        if read is None or _all_allowed(*read):
            return []
        self._in_plain = not isinstance(read[1], ast.AsyncFunctionDef)
        waiting, seen = deque([self._root]), {self._root.__code__}
        while waiting and len(seen) <= _MOST:
            for function in self._walk(waiting.popleft()):
                if function.__code__ not in seen and self._is_followed(function):
                    seen.add(function.__code__)
                    waiting.append(function)
        return self._found

    def _walk(self, function: FunctionType) -> list[FunctionType]:
        read = self._sources.of(function)
        if read is None:
            return []
        source, node = read
        if _all_allowed(source, node):
            return []
        is_root = function is self._root
        within = "" if is_root else function.__qualname__.replace(".<locals>", "")
        file = function.__code__.co_filename

        def report(at: ast.AST, what: str, instead: str) -> None:
            first, last = getattr(at, "lineno", node.lineno), getattr(at, "end_lineno", None)
            if not source.allows(first, last):
                self._found.append(Finding(file, first, what, instead, self._workflow.name, within))

        infer = Inference(Bindings(node), Surroundings(function, self._homes))
        walk = Walk(
            infer,
            report,
            is_root=is_root,
            is_async=isinstance(node, ast.AsyncFunctionDef),
            in_plain=self._in_plain,
        )
        walk.run(node)
        return walk.reached

    def _is_followed(self, function: FunctionType) -> bool:
        """Code of users', or of the package that the workflow is part of, wherever that is installed."""
        file = function.__code__.co_filename
        if function.__name__ in _OF_ONE_PROCESS:
            return False
        if file == self._root.__code__.co_filename or is_users(file):
            return True
        home = (self._root.__module__ or "").partition(".")[0]
        return home != _OURS and (function.__module__ or "").partition(".")[0] == home


_OF_ONE_PROCESS: Final = frozenset({"__hash__", "__repr__"})  # what they say is not for histories
_OURS: Final = "orquestrax"


def _all_allowed(source: Source, node: Node) -> bool:
    """Whether the head of the function says `# ox: allow`."""
    return source.allows(first_line(node), max(node.lineno, node.body[0].lineno - 1))
