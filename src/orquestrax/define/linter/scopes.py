"""The names that a function binds itself: parameters, assignments, loops, imports, functions within."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from orquestrax.define.linter.sources import Node


class Bindings:
    """All names bound in a function, nested functions and comprehensions included.

    A name that is bound by a loop, a `with`, an unpacking or a nested function is known to be the function's own,
    and nothing more.
    """

    def __init__(self, node: Node) -> None:
        self._imports: dict[str, str] = {}
        self._annotations: dict[str, ast.expr] = {}
        self._values: dict[str, list[ast.expr] | None] = {}
        self._added: dict[str, list[ast.expr]] = {}
        self._elsewhere: set[str] = set()
        self._parameters(node.args)
        for statement in node.body:
            for each in ast.walk(statement):
                self._bind(each)
        for name in self._elsewhere:
            self._values.pop(name, None)

    def __contains__(self, name: str) -> bool:
        return name in self._values or name in self._imports or name in self._annotations

    def imported(self, name: str) -> str | None:
        """The dotted name that the function imports under this one, and binds to nothing else."""
        return None if name in self._values else self._imports.get(name)

    def annotation(self, name: str) -> ast.expr | None:
        """What the function says of this name."""
        return self._annotations.get(name)

    def values(self, name: str) -> list[ast.expr] | None:
        """All that the function assigns to this name; None if some of it is unknown."""
        return self._values.get(name)

    def added(self, name: str) -> list[ast.expr]:
        """What the function adds to the set of this name."""
        return self._added.get(name, [])

    def _parameters(self, args: ast.arguments) -> None:
        for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs):
            self._unknown(arg.arg)
            if arg.annotation is not None:
                self._annotations[arg.arg] = arg.annotation
        for rest in (args.vararg, args.kwarg):
            if rest is not None:
                self._unknown(rest.arg)

    def _unknown(self, name: str | None) -> None:
        if name is not None:
            self._values[name] = None

    def _assign(self, target: ast.expr, value: ast.expr | None) -> None:
        if not isinstance(target, ast.Name):
            for name in _names(target):
                self._unknown(name)
        elif value is None:
            self._unknown(target.id)
        else:
            known = self._values.setdefault(target.id, [])
            if known is not None:
                known.append(value)

    def _bind(self, node: ast.AST) -> None:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Global():
                self._bind_elsewhere(node)
            case ast.FunctionDef(name=name, args=args) | ast.AsyncFunctionDef(name=name, args=args):
                self._unknown(name)
                self._parameters(args)
            case ast.Lambda(args=args):
                self._parameters(args)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="add"), args=[value]):
                self._added.setdefault(name, []).append(value)
            case _:
                self._bind_value(node)

    def _bind_value(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(target, value)
            case ast.NamedExpr(target=target, value=value):
                self._assign(target, value)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                self._unknown(name)
                self._annotations[name] = annotation
            case ast.For(target=target) | ast.AsyncFor(target=target) | ast.comprehension(target=target):
                self._assign(target, None)
            case ast.withitem(optional_vars=ast.expr() as target):
                self._assign(target, None)
            case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
                self._unknown(name)
            case ast.ClassDef(name=name) | ast.MatchMapping(rest=name):
                self._unknown(name)

    def _bind_elsewhere(self, node: ast.Import | ast.ImportFrom | ast.Global) -> None:
        """Names that stand for something outside: of another module, or of this one."""
        match node:
            case ast.Global(names=names):
                self._elsewhere.update(names)
            case ast.Import(names=names):
                for alias in names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    self._imports[bound] = alias.name if alias.asname else bound
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                for alias in names:
                    self._imports[alias.asname or alias.name] = f"{module}.{alias.name}"
            case ast.ImportFrom(names=names):
                for alias in names:
                    self._unknown(alias.asname or alias.name)


def _names(target: ast.AST) -> Iterator[str]:
    """The names that an unpacking binds; a subscript or an attribute binds none."""
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _names(part)
        case ast.Starred(value=inner):
            yield from _names(inner)
