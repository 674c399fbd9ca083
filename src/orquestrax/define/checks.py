"""What every declaration is checked for, each with one sentence that names file and line."""

from __future__ import annotations

import inspect
import math
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any, Final

from orquestrax.base.errors import DefinitionError
from orquestrax.model.options import seconds

_NAME_LIMIT: Final = 200
_PACKAGE: Final = str(Path(__file__).parent.parent) + os.sep


def innermost(fn: Any) -> FunctionType:
    """The function below its decorators, as far as these are functions and say what they wrap."""
    inner = inspect.unwrap(fn)
    return inner if isinstance(inner, FunctionType) else fn


def where_of(fn: Any) -> tuple[str, int]:
    """File and line of a function, its first decorator included."""
    code = innermost(fn).__code__
    return code.co_filename, code.co_firstlineno


def place(file: str, line: int) -> str:
    """`file:line`, the file relative to the current folder where it lies below."""
    folder = f"{Path.cwd()}{os.sep}"
    return f"{file.removeprefix(folder)}:{line}"


def caller() -> str:
    """`file:line` of the code outside of this package that is calling it."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the public ways read sources, which is slow
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return "?" if frame is None else place(frame.f_code.co_filename, frame.f_lineno)


def check_function(kind: str, fn: Any, name: str | None) -> FunctionType:
    """The function to declare as a step, workflow or resource; DefinitionError if it is something else."""
    if not isinstance(fn, FunctionType):
        raise DefinitionError(f"{caller()}: @{kind} is for functions written with def, not for {_what(fn)}")
    at = place(*where_of(fn))
    if fn.__name__ == "<lambda>" and name is None:
        raise DefinitionError(f"{at}: a lambda has no name of its own: write a def, or pass name=")
    if _hides_async(fn):
        raise DefinitionError(
            f"{at}: {fn.__name__} is an async def behind a decorator that is not: make the decorator's inner "
            f"function `async def`, or put @{kind} below it"
        )
    if kind != "resource" and (inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn)):
        raise DefinitionError(
            f"{at}: {fn.__name__} is a generator: a {kind} returns its result, without yield"
        )
    if _is_method(fn):
        raise DefinitionError(
            f"{at}: {fn.__qualname__} is a method: a {kind} is a function of its module, with all its data "
            "in its parameters"
        )
    return fn


def check_name(kind: str, name: Any, at: str) -> str:
    """A name of 1 to 200 printable characters."""
    if not isinstance(name, str):
        raise DefinitionError(f"{at}: the name of a {kind} is text, not {type(name).__name__}")
    if not 1 <= len(name) <= _NAME_LIMIT:
        raise DefinitionError(f"{at}: a {kind}'s name has 1 to {_NAME_LIMIT} characters, not {len(name)}")
    if any(not char.isprintable() for char in name):
        raise DefinitionError(f"{at}: the name {name!r} of a {kind} holds a character that cannot be printed")
    return name


def check_seconds(option: str, value: Any, at: str) -> float | None:
    """A time limit in seconds, positive and finite, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | timedelta):
        raise DefinitionError(f"{at}: {option}={value!r}: give seconds or a timedelta")
    limit = seconds(value)
    if not (limit > 0 and math.isfinite(limit)):
        raise DefinitionError(f"{at}: {option}={value!r}: a limit is over 0 seconds; leave it out for none")
    return limit


def _what(fn: Any) -> str:
    if isinstance(fn, staticmethod | classmethod):
        return f"a {type(fn).__name__}: put it above, or write the function outside of the class"
    if isinstance(fn, type):
        return f"the class {fn.__name__}"
    if type(fn).__module__.startswith("orquestrax."):
        return f"the {repr(fn).strip('<>')}: decorate once"
    return f"a {type(fn).__name__}: wrap the call in a def"


def _hides_async(fn: Callable[..., Any]) -> bool:
    inner = innermost(fn)
    return inner is not fn and inspect.iscoroutinefunction(inner) and not inspect.iscoroutinefunction(fn)


def _is_method(fn: FunctionType) -> bool:
    owner = fn.__qualname__.rpartition(".")[0]
    first = fn.__code__.co_varnames[: fn.__code__.co_argcount][:1]
    return bool(owner) and not owner.endswith("<locals>") and first in (("self",), ("cls",))
