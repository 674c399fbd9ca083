"""Snippets as modules: written to a file, imported, linted, forgotten."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orquestrax.define.linter import Finding, lint
from orquestrax.define.workflow import Workflow

HEAD = "import asyncio\nimport orquestrax as ox\n"
_numbers = itertools.count()
Lint = Callable[..., list[Finding]]


@pytest.fixture
def lint_source(tmp_path: Path) -> Iterator[Lint]:
    """lint_source(source) -> the findings of all workflows that this module declares."""
    made: list[str] = []

    def run(source: str, *, name: str = "") -> list[Finding]:
        name = name or f"snippet{next(_numbers)}"
        file = tmp_path / f"{name}.py"
        file.write_text(HEAD + textwrap.dedent(source), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        made.append(name)
        spec.loader.exec_module(module)
        return lint(each for each in vars(module).values() if isinstance(each, Workflow))

    yield run
    for name in made:
        del sys.modules[name]


@pytest.fixture
def lint_body(lint_source: Lint) -> Lint:
    """lint_body(lines, before="", parameters="") -> findings of a workflow with this body."""

    def run(body: str, *, before: str = "", parameters: str = "") -> list[Finding]:
        head = f"{textwrap.dedent(before)}\n@ox.workflow\nasync def flow({parameters}):\n"
        return lint_source(head + textwrap.indent(textwrap.dedent(body).strip() or "pass", "    ") + "\n")

    return run
