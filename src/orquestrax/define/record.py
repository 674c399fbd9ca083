"""Which modules declare something: written by the decorators, read when a node looks for its definitions."""

from __future__ import annotations

from typing import Final, Protocol

_modules: Final[set[str]] = set()


class Declared(Protocol):
    """A step or workflow, with the module that declared it."""

    __module__: str


def record(declared: Declared) -> None:
    """Remember that the module of this definition declares something."""
    _modules.add(declared.__module__)


def declares(module: str) -> bool:
    """Whether a module declares something, or is a package above one that does.

    This package is none: every module that declares imports it, and its examples are served only where asked for.
    """
    if module == __name__.partition(".")[0]:
        return False
    return module in _modules or any(name.startswith(f"{module}.") for name in _modules)
