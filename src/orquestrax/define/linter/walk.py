"""One function: its names, calls, loops and assignments, each held against the rules."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, Final

from orquestrax.define.linter.inference import Inference
from orquestrax.define.linter.order import Order
from orquestrax.define.linter.references import Reference, constructors, factories, function_of
from orquestrax.define.linter.rules import INSTANCES, METHODS, Rule, rule_of
from orquestrax.define.linter.sources import Node
from orquestrax.define.step import Step
from orquestrax.define.workflow import Workflow

_MUTATORS: Final = """
    append extend insert add update setdefault pop popitem remove discard clear appendleft
"""
Report = Callable[[ast.AST, str, str], None]


@dataclass
class Walk(ast.NodeVisitor):
    """Walks one function. `report(node, what, instead)` is told what is found.

    is_root   the workflow's own function
    is_async  whether it is an `async def`, where `step.call` blocks; what a plain `def` does depends on its caller
    in_plain  whether the workflow is a plain `def`, where `ox.await_` stands for `await`
    reached   the functions that it calls or hands on
    """

    infer: Inference
    report: Report
    is_root: bool
    is_async: bool
    in_plain: bool = False
    reached: list[FunctionType] = field(default_factory=list)
    depth: int = 0

    def __post_init__(self) -> None:
        self.order = Order(self.infer, self.report)

    def run(self, node: Node) -> None:
        """Look at the body; what stands in its head runs when the module is imported."""
        for statement in node.body:
            self.visit(statement)

    def visit(self, node: ast.AST) -> None:
        self.order.look_at(node)
        super().visit(node)

    # -- names and calls --

    def visit_Call(self, node: ast.Call) -> None:
        found = self.infer.of(node.func)
        rule = _rule_for_call(node, found)
        if rule is not None:
            self._report(node, node.func, found, rule)
            return
        if isinstance(node.func, ast.Attribute):
            self._method(node, node.func)
        if found is not None and isinstance(found.value, type):
            self._construct(node, found.value)
        if found is not None and isinstance(found.value, Workflow):
            what = f"{found.value.name}(…) is a workflow of its own"
            self.report(node, what, "move the code that both need into an `async def` without decorator")
        self.generic_visit(node)

    def _method(self, node: ast.Call, function: ast.Attribute) -> None:
        owner = self.infer.of(function.value)
        if owner is None:
            return
        if function.attr == "call" and isinstance(owner.value, Step) and self.is_async:
            name = ast.unparse(function.value)
            self.report(node, f"{name}.call(…) blocks the event loop", f"write `await {name}(…)`")
        if function.attr in _MUTATORS.split() and isinstance(owner.value, list | dict | set):
            self._shared(node, function.value)

    def _construct(self, node: ast.Call, cls: type) -> None:
        """Calling a class runs its constructor, and what makes its default values."""
        self.reached += constructors(cls)
        for factory in factories(cls):
            made = self.infer.object(factory)
            rule = None if isinstance(factory, type) else rule_of(made.name)
            if rule is not None:
                label = f"{ast.unparse(node.func)}(…) calls {made.name}() for a default value, which"
                self.report(node, f"{label} {rule.says}", f"{rule.instead} and pass the value")
            elif (function := function_of(factory)) is not None:
                self.reached.append(function)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._use(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not self._use(node):
            self.visit(node.value)

    def _use(self, node: ast.Name | ast.Attribute) -> bool:
        """A name that is used, called or not; True if it was reported."""
        found = self.infer.of(node)
        if found is None:
            return False
        function = function_of(found.value)
        if function is not None and not isinstance(found.value, Step | Workflow):
            self.reached.append(function)
        rule = None if isinstance(found.value, type) else rule_of(found.name)
        if rule is None or rule.free_from is not None:
            return False
        self._report(node, node, found, rule)
        return True

    def _report(self, node: ast.AST, named: ast.expr, found: Reference | None, rule: Rule) -> None:
        text = ast.unparse(named)
        label = f"{text}()" if isinstance(node, ast.Call) else text
        home = "" if found is None else found.name.removeprefix("builtins.").replace("()", "")
        if home and text.rpartition(".")[2] != home.rpartition(".")[2]:
            label += f", which is {home},"
        self.report(node, f"{label} {rule.says}", (self._calls and rule.in_def) or rule.instead)

    # -- what is asked for and not waited for --

    @property
    def _calls(self) -> bool:
        """Whether this is plain code of a plain workflow: it waits by `step.call` and `ox.await_`."""
        return self.in_plain and not self.is_async

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            function = self._unawaited(node.value)
            if function is not None and _rule_for_call(node.value, function) is None:
                name = ast.unparse(node.value.func)
                what = f"{name}(…) is never awaited, so it never runs"
                self.report(node, what, f"write `{self._awaited(name, function)}`")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        waits = self.is_async or self._calls
        if self.is_root and waits and not self.depth and isinstance(node.value, ast.Call):
            function = self._unawaited(node.value)
            if function is not None:
                name = ast.unparse(node.value.func)
                what = f"the result is {name}(…) itself, which was not awaited"
                self.report(node, what, f"write `return {self._awaited(name, function)}`")
        self.generic_visit(node)

    def _unawaited(self, call: ast.Call) -> Reference | None:
        """What is called, if calling it alone does nothing."""
        function = self.infer.of(call.func)
        return function if function is not None and _must_be_awaited(function.value) else None

    def _awaited(self, name: str, function: Reference) -> str:
        """The call as it is waited for in this place."""
        if isinstance(function.value, Step) and not self.is_async:
            return f"{name}.call(…)"
        return f"ox.await_({name}(…))" if self._calls else f"await {name}(…)"

    # -- state that instances share --

    def visit_Global(self, node: ast.Global) -> None:
        names = ", ".join(node.names)
        self.report(node, f"`global {names}` {_SHARED}", _OWN)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Store | ast.Del):
            owner = self.infer.of(node.value)
            if owner is not None and isinstance(owner.value, list | dict):
                self._shared(node, node.value)
        self.generic_visit(node)

    def _shared(self, node: ast.AST, name: ast.expr) -> None:
        self.report(node, f"{ast.unparse(name)} is changed and {_SHARED}", _OWN)

    # -- what is not code of this function, or runs at other times --

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._nested(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._nested(node)

    def _nested(self, node: Node) -> None:
        if any(self._declares(each) for each in node.decorator_list):
            return
        for each in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(each)
        self.depth, outer = self.depth + 1, self.is_async
        self.is_async = isinstance(node, ast.AsyncFunctionDef)
        self.run(node)
        self.depth, self.is_async = self.depth - 1, outer

    def _declares(self, decorator: ast.expr) -> bool:
        """Whether what is decorated is a step or a workflow, whose body does not run here."""
        found = self.infer.of(decorator.func if isinstance(decorator, ast.Call) else decorator)
        return found is not None and found.name in _DECLARING

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_withitem(self, node: ast.withitem) -> None:
        held = self.infer.of(node.context_expr)
        rule = None if held is None else INSTANCES.get(held.name)
        if rule is not None and isinstance(node.context_expr, ast.Name | ast.Attribute):
            self._report(node.context_expr, node.context_expr, held, rule)
            return
        self.generic_visit(node)


_SHARED: Final = "belongs to the process: all instances share it, and a restart forgets it"
_OWN: Final = "keep it in a variable of the workflow, or in a database by a step"
_DECLARING: Final = frozenset({"orquestrax.define.step.step", "orquestrax.define.workflow.workflow"})


def _rule_for_call(node: ast.Call, found: Reference | None) -> Rule | None:
    if found is not None:
        rule = rule_of(found.name)
        if rule is not None and (rule.free_from is None or _arguments(node) < rule.free_from):
            return rule
    return METHODS.get(node.func.attr) if isinstance(node.func, ast.Attribute) else None


def _arguments(node: ast.Call) -> float:
    """How many arguments a call has; any number if some are unpacked."""
    unpacked = any(isinstance(each, ast.Starred) for each in node.args)
    unpacked = unpacked or any(each.arg is None for each in node.keywords)
    return float("inf") if unpacked else len(node.args) + len(node.keywords)


def _must_be_awaited(value: Any) -> bool:
    return isinstance(value, Step) or inspect.iscoroutinefunction(value)
