"""How functions of asyncio are exchanged: once per process, and only what runs on a loop of ours notices.

A function gets another code object, because users write `from asyncio import wait_for` long before the first
workflow runs; a method is replaced in its class.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import wraps
from types import FunctionType, ModuleType
from typing import Any, Final

from orquestrax.replay.loop import Loop

HOOK: Final = "_orquestrax_alike"  # where the new code finds what it calls: in its function's module


def ours() -> Loop | None:
    """The loop of the workflow whose code is running."""
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the public one raises where there is none
    return loop if isinstance(loop, Loop) else None


def method(owner: type, name: str, replacement: Callable[..., Any]) -> None:
    """Let this method take our way on our loops."""
    original = getattr(owner, name)

    @wraps(original)
    def chosen(self: Any, *args: Any, **kwargs: Any) -> Any:
        return (original if ours() is None else replacement)(self, *args, **kwargs)

    setattr(owner, name, chosen)


def function(module: ModuleType, hook: Any, replacement: Any) -> Callable[..., Any]:
    """Give the function of the replacement's name its code, and return the original under another identity."""
    setattr(module, HOOK, hook)
    present = getattr(module, replacement.__name__)
    original = FunctionType(
        present.__code__, present.__globals__, present.__name__, present.__defaults__, present.__closure__
    )
    original.__kwdefaults__ = present.__kwdefaults__
    present.__code__ = replacement.__code__
    return original
