"""What the expressions of one function make, as far as the source says so for certain.

Of interest are sets, whose order is that of the hash seed; paths and other instances whose methods have rules; and
tasks, whose sets the engine keeps in order. Whatever is bound twice to different things is unknown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, Final

from orquestrax.define.linter.references import (
    MISSING,
    Reference,
    Surroundings,
    instance_name,
)
from orquestrax.define.linter.scopes import Bindings

SET: Final = Reference("builtins.set()")
STEADY_SET: Final = Reference("set of what hashes alike in every process")
STEADY: Final = Reference("a value that hashes alike in every process")
PATH: Final = "pathlib.Path()"
_SETS: Final = frozenset({"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"})
_ALGEBRA: Final = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
_NUMBERS: Final = frozenset(
    {"builtins.int", "builtins.len", "builtins.ord", "builtins.round", "builtins.float"}
)
_TASKS: Final = frozenset({"create_task", "ensure_future"})
_TASKS_BY_NAME: Final = frozenset(f"asyncio.tasks.{name}" for name in _TASKS)
_PATHS: Final = frozenset({"joinpath", "with_name", "with_suffix", "with_stem", "relative_to", "parent"})
_DEPTH: Final = 12  # of names that stand for names: who writes more of them wrote a circle


class Inference:
    """Expressions of one function, whose own names are `bindings`, looked up in its `surroundings`."""

    def __init__(self, bindings: Bindings, surroundings: Surroundings) -> None:
        self._bindings, self._surroundings = bindings, surroundings
        self._depth = 0

    def of(self, node: ast.expr | None) -> Reference | None:
        """What an expression is; None if that is not certain."""
        if node is None or self._depth > _DEPTH:
            return None
        self._depth += 1
        try:
            infer = getattr(self, f"_{type(node).__name__.lower()}", None)
            found: Reference | None = None if infer is None else infer(node)
            return found
        finally:
            self._depth -= 1

    def object(self, value: Any) -> Reference:
        """What an object is, wherever it was found."""
        return self._surroundings.homes.reference(value)

    def is_unordered(self, node: ast.expr) -> bool:
        """Whether it is a set that other processes iterate in another order."""
        found = self.of(node)
        if found is None:
            return False
        if isinstance(found.value, set | frozenset):
            return not all(type(each) in (int, float, bool) for each in found.value)
        return found is SET

    def _name(self, node: ast.Name) -> Reference | None:
        if node.id not in self._bindings:
            return self._surroundings.reference(node.id)
        path = self._bindings.imported(node.id)
        if path is not None:
            return self._surroundings.homes.dotted(path)
        if (annotation := self._bindings.annotation(node.id)) is not None:
            return self._instance_of(annotation)
        values = self._bindings.values(node.id)
        found = [self.of(value) for value in values or ()]
        if not found or not all(_same(each, found[0]) for each in found):
            return None
        return self._grown(node.id) if found[0] is SET and _empty(values) else found[0]

    def _grown(self, name: str) -> Reference | None:
        """A set that begins empty is what is added to it."""
        added = [self.of(value) for value in self._bindings.added(name)]
        if not added:
            return None
        return STEADY_SET if all(each is STEADY for each in added) else SET

    def _instance_of(self, annotation: ast.expr) -> Reference | None:
        parameters: ast.expr | None = None
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            annotation = _parsed(annotation.value) or annotation
        if isinstance(annotation, ast.Subscript):
            parameters, annotation = annotation.slice, annotation.value
        name = annotation.attr if isinstance(annotation, ast.Attribute) else getattr(annotation, "id", "")
        if name in _SETS:
            return STEADY_SET if getattr(parameters, "id", "") in ("int", "float", "bool") else SET
        cls = self.of(annotation)
        if cls is None or not isinstance(cls.value, type):
            return None
        return Reference(instance_name(cls.value), MISSING, cls.value)

    def _attribute(self, node: ast.Attribute) -> Reference | None:
        owner = self.of(node.value)
        if owner is None:
            return None
        if owner.name == PATH and node.attr in _PATHS:
            return Reference(PATH)
        return self._surroundings.homes.attribute(owner, node.attr)

    def _call(self, node: ast.Call) -> Reference | None:
        made = self._made_by_method(node, node.func) if isinstance(node.func, ast.Attribute) else None
        return made or self._made_by(node, self.of(node.func))

    def _made_by_method(self, node: ast.Call, method: ast.Attribute) -> Reference | None:
        if method.attr in _TASKS:
            return STEADY
        owner = self.of(method.value)
        if owner is not None and method.attr in _ALGEBRA and _is_set(owner):
            return self._mixed(owner, *(self.of(argument) for argument in node.args))
        if owner is not None and owner.name == PATH and method.attr in _PATHS:
            return Reference(PATH)
        return None

    def _made_by(self, node: ast.Call, function: Reference | None) -> Reference | None:
        if function is None:
            return None
        if function.value is set or function.value is frozenset:
            return self._set_of(node.args)
        if function.name in _NUMBERS or function.name in _TASKS_BY_NAME:
            return STEADY
        if isinstance(function.value, type) and function.name not in _SEEDED:
            return Reference(instance_name(function.value), MISSING, function.value)
        return None

    def _set_of(self, arguments: list[ast.expr]) -> Reference | None:
        if len(arguments) != 1:
            return SET
        (argument,) = arguments
        if isinstance(argument, ast.List | ast.Tuple | ast.Set):
            return self._of_elements(argument.elts)
        if isinstance(argument, ast.ListComp | ast.GeneratorExp | ast.SetComp):
            return self._of_elements([argument.elt])
        source = self.of(argument)
        steady = source is STEADY_SET or (source is not None and source.name == "builtins.range()")
        return STEADY_SET if steady else SET

    def _set(self, node: ast.Set) -> Reference | None:
        return self._of_elements(node.elts)

    def _setcomp(self, node: ast.SetComp) -> Reference | None:
        return self._of_elements([node.elt])

    def _of_elements(self, elements: Iterable[ast.expr]) -> Reference:
        return STEADY_SET if all(self.of(each) is STEADY for each in elements) else SET

    def _constant(self, node: ast.Constant) -> Reference | None:
        return STEADY if isinstance(node.value, int | float) else None

    def _binop(self, node: ast.BinOp) -> Reference | None:
        left = self.of(node.left)
        if isinstance(node.op, ast.Div):
            return left if left is not None and left.name == PATH else None
        if isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor | ast.Sub):
            right = self.of(node.right)
            sets = [each for each in (left, right) if each is not None and _is_set(each)]
            return self._mixed(*sets) if sets else None
        return None

    @staticmethod
    def _mixed(*sets: Reference | None) -> Reference:
        return STEADY_SET if all(each is STEADY_SET for each in sets) else SET


# With a seed these are as deterministic as the seed, without one the call itself is reported.
_SEEDED: Final = frozenset({"random.Random", "numpy.random.RandomState"})


def _is_set(reference: Reference) -> bool:
    return reference is SET or reference is STEADY_SET or isinstance(reference.value, set | frozenset)


def _same(one: Reference | None, other: Reference | None) -> bool:
    if one is None or other is None:
        return False
    return one.name == other.name and one.value is other.value


def _empty(values: list[ast.expr] | None) -> bool:
    return all(isinstance(value, ast.Call) and not value.args for value in values or ())


def _parsed(text: str) -> Any:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
