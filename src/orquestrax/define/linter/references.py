"""What a name in a function stands for: the object that the function would find under it, and its name at home.

Functions are looked at after their modules were imported, so most names are looked up where Python would find them;
that resolves every alias and re-export. What a function imports itself is followed by name.
"""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from orquestrax.define.linter.rules import NAMES, rule_of

MISSING: Final = object()


@dataclass(frozen=True, slots=True, eq=False)  # comparing values would run users' code
class Reference:
    """What an expression stands for.

    name   dotted, where it is at home: "datetime.datetime.now"; an instance of a class is "pathlib.Path()"
    value  the object, MISSING if only the name is known
    cls    of an instance whose class alone is known
    """

    name: str
    value: Any = MISSING
    cls: type | None = None


class Homes:
    """Finds an object's name at home. Many objects of the standard library do not know it themselves."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        for name in (*NAMES, *{name.rpartition(".")[0] for name in NAMES}):
            home, _, attribute = name.rpartition(".")
            module = sys.modules.get(home)
            value = vars(module).get(attribute, MISSING) if isinstance(module, ModuleType) else MISSING
            if value is not MISSING and not isinstance(value, ModuleType):
                self._names.setdefault(id(value), name)

    def reference(self, value: Any) -> Reference:
        """What this object is."""
        known = self._names.get(id(value))
        if known is not None:
            return Reference(known, value)
        if isinstance(value, ModuleType):
            return Reference(value.__name__, value)
        if isinstance(value, BuiltinFunctionType | MethodType) and _owned(value):
            return Reference(f"{self.reference(value.__self__).name}.{value.__name__}", value)
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            return Reference(f"{value.__module__}.{value.__qualname__}", value)
        return Reference(instance_name(type(value)), value, type(value))

    def attribute(self, owner: Reference, name: str) -> Reference:
        """What `owner.name` is; nothing of the user's is run to find out."""
        value = MISSING
        if isinstance(owner.value, ModuleType):
            value = vars(owner.value).get(name, MISSING)
        elif isinstance(owner.value, type):
            value = _static(owner.value, name)
        elif owner.cls is not None:
            value = _static(owner.cls, name)
        own_name = f"{owner.name}.{name}"
        if value is MISSING or rule_of(own_name) is not None:
            return Reference(own_name, value)
        if isinstance(value, property | staticmethod | classmethod):
            value = getattr(value, "fget", None) or getattr(value, "__func__", value)
        found = self.reference(value)
        # A class inherits its methods from wherever: what counts is on what it is called.
        plain = isinstance(owner.value, ModuleType) or isinstance(value, FunctionType)
        return found if plain else Reference(own_name, value)

    def dotted(self, path: str) -> Reference:
        """What an import inside of a function brings in."""
        if path in NAMES or path in sys.modules:
            return Reference(path, sys.modules.get(path, MISSING))
        home, _, name = path.rpartition(".")
        return self.attribute(self.dotted(home), name) if home else Reference(path)


class Surroundings:
    """The names that a function finds outside of itself: its closure, its module's, Python's own."""

    def __init__(self, function: FunctionType, homes: Homes) -> None:
        closure = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
        self._layers: tuple[Mapping[str, Any], ...] = (
            {name: cell.cell_contents for name, cell in closure if _filled(cell)},
            function.__globals__,
            vars(builtins),
        )
        self.homes = homes

    def reference(self, name: str) -> Reference | None:
        """What this name stands for; None if nothing is known of it."""
        for layer in self._layers:
            if name in layer:
                return self.homes.reference(layer[name])
        return None


def instance_name(cls: type) -> str:
    """How an instance of this class is called in the rules."""
    if issubclass(cls, PurePath):
        return "pathlib.Path()"
    return f"{cls.__module__}.{cls.__qualname__}()"


def function_of(value: Any) -> FunctionType | None:
    """The function behind an object, its decorators taken off as far as they say what they wrap."""
    try:
        inner = inspect.unwrap(value) if callable(value) else value
    except ValueError:  # wrapped in a circle
        return None
    return inner if isinstance(inner, FunctionType) else None


def constructors(cls: type) -> Iterable[FunctionType]:
    """What calling a class runs of the user's own code."""
    for name in ("__new__", "__init__", "__post_init__"):
        value = _static(cls, name)
        function = function_of(getattr(value, "__func__", value))
        if function is not None:
            yield function


def factories(cls: type) -> Iterable[Any]:
    """What makes the default values of a dataclass's fields."""
    if dataclasses.is_dataclass(cls):
        for each in dataclasses.fields(cls):
            if each.init and each.default_factory is not dataclasses.MISSING:
                yield each.default_factory


def _owned(method: BuiltinFunctionType | MethodType) -> bool:
    """Whether it belongs to a class or an instance, not to a module."""
    return not isinstance(method.__self__, ModuleType | None)


def _static(cls: type, name: str) -> Any:
    return inspect.getattr_static(cls, name, MISSING)


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not MISSING
    except ValueError:
        return False
