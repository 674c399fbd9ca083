"""The tests that bear a promise's number in their names, read from their source: nothing is imported or run.

`test_I10_I11_signals_race_with_the_end` bears two. `test_I1_to_I23_hold_whatever_strikes` bears a range; such a test
judges everything at once and is named for all, but stands in for no test of a promise's own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]
_NUMBERS: Final = re.compile(r"^test_((?:I\d+_)+)(.+)$")
_RANGE: Final = re.compile(r"^test_I(\d+)_to_I(\d+)_(.+)$")
_MARK: Final = "mark.verify"

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, order=True)
class Bearer:
    """One test: `file` is relative to the project, `verify` says whether it belongs to `make verify`."""

    file: str
    name: str
    numbers: tuple[int, ...]
    words: str
    verify: bool
    whole: bool = False


@cache
def bearers(folder: Path = TESTS) -> tuple[Bearer, ...]:
    """All of them, by file and name."""
    found = (each for file in folder.rglob("test_*.py") for each in _of_file(file, folder.parent))
    return tuple(sorted(found))


def _of_file(file: Path, root: Path) -> Iterator[Bearer]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    whole_file = any(isinstance(node, ast.Assign) and _MARK in ast.unparse(node) for node in tree.body)
    for test in _tests(tree.body):
        numbers, words, whole = _read(test.name)
        if numbers:
            verify = whole_file or any(_MARK in ast.unparse(each) for each in test.decorator_list)
            where = file.relative_to(root).as_posix()
            yield Bearer(where, test.name, numbers, words, verify, whole)


def _tests(body: Iterable[ast.stmt]) -> Iterator[_Function]:
    """Functions of the module, and of its classes of tests."""
    for node in body:
        if isinstance(node, _Function):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _tests(node.body)


def _read(name: str) -> tuple[tuple[int, ...], str, bool]:
    if found := _RANGE.match(name):
        return tuple(range(int(found[1]), int(found[2]) + 1)), _words(found[3]), True
    if found := _NUMBERS.match(name):
        numbers = tuple(int(each.removeprefix("I")) for each in found[1].split("_") if each)
        return numbers, _words(found[2]), False
    return (), "", False


def _words(name: str) -> str:
    return name.replace("_", " ")
