"""Sets whose order matters: they are iterated in the order of the hash seed, which is another one in every process."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Final

from orquestrax.define.linter.inference import Inference

_FREE: Final = """
    builtins.sorted builtins.set builtins.frozenset builtins.sum builtins.min builtins.max builtins.any builtins.all
    builtins.len builtins.bool collections.Counter math.fsum math.prod
"""
_KEEPS: Final = """
    builtins.list builtins.tuple builtins.enumerate builtins.iter builtins.zip builtins.map builtins.filter
    builtins.dict collections.deque itertools.chain itertools.product itertools.islice
"""
_IS_FREE, _IS_KEPT = frozenset(_FREE.split()), frozenset(_KEEPS.split())
_METHODS: Final = frozenset({"join", "fromkeys", "extend"})


class Order:
    """Looks at each node of a function on the way down."""

    def __init__(self, infer: Inference, report: Callable[[ast.AST, str, str], None]) -> None:
        self._infer, self._report = infer, report
        self._free: set[ast.AST] = set()  # comprehensions whose order nobody sees

    def look_at(self, node: ast.AST) -> None:
        """Report the sets that this node puts in an order."""
        if isinstance(node, ast.Call):
            self._note_free(node)
        for iterated in _iterated_by(node):
            self._check(iterated)
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp) and node not in self._free:
            for generator in node.generators:
                self._check(generator.iter)
        if isinstance(node, ast.Call):
            for iterated in self._iterated_by_call(node):
                self._check(iterated)

    def _note_free(self, node: ast.Call) -> None:
        function = self._infer.of(node.func)
        if function is not None and _plain(function.name) in _IS_FREE:
            self._free.update(node.args)

    def _iterated_by_call(self, node: ast.Call) -> Iterator[ast.expr]:
        function = self._infer.of(node.func)
        if function is not None and _plain(function.name) in _IS_KEPT and node not in self._free:
            yield from node.args
        elif isinstance(node.func, ast.Attribute):
            if node.func.attr in _METHODS:
                yield from node.args
            elif node.func.attr == "pop" and not node.args:
                yield node.func.value

    def _check(self, node: ast.expr) -> None:
        if self._infer.is_unordered(node):
            text = ast.unparse(node)
            shown = text if len(text) <= _SHOWN else "a set"
            what = f"the order of the set {shown} is another one in every process"
            self._report(node, what.replace("set a set", "set"), "sort it first: `sorted(…)`")


_SHOWN: Final = 40


def _iterated_by(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.For(iter=iterated):
            yield iterated
        case ast.Starred(value=value, ctx=ast.Load()) | ast.YieldFrom(value=value):
            yield value
        case ast.Assign(targets=[ast.Tuple() | ast.List()], value=value):
            yield value


def _plain(name: str) -> str:
    return name.replace("_collections.", "collections.")
