"""What calling a step gives: something to await, as a coroutine is.

Nothing happens when it is made. When first driven it asks the workflow whose code is running for the step,
and outside of workflows runs the function. `await` takes the fast path: it hands on the iterator of the
workflow's own future, so nothing of `Call` is on the way while it waits. Tasks, `gather` and `wait_for` drive
it by `send`.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, NoReturn, Protocol, TypeVar

from orquestrax.define.checks import place
from orquestrax.define.outside import Runnable, run_once
from orquestrax.define.signatures import Signature
from orquestrax.model.commands import StepSpec
from orquestrax.replay.context import current
from orquestrax.replay.instance import Replay

R = TypeVar("R")

_warned: dict[Any, Any] = {}  # where a warning was given, as every module keeps it for its own lines


class Asked(Runnable, StepSpec, Protocol):
    """The step of a call."""

    signature: Signature


class Call(Coroutine[Any, Any, R]):
    """One call of a step, to be awaited once. `file` and `line` are where it was made."""

    __slots__ = ("_args", "_begun", "_driver", "_kwargs", "file", "line", "step")

    def __init__(
        self, step: Asked, args: tuple[Any, ...], kwargs: dict[str, Any], file: str, line: int
    ) -> None:
        self._begun = False
        self._driver: Coroutine[Any, Any, R] | None = None
        self.step = step
        self._args = args
        self._kwargs = kwargs
        self.file = file
        self.line = line

    def __await__(self) -> Generator[Any, Any, R]:
        if self._begun:
            self._refuse()
        self._begun = True
        replay = current()
        if replay is not None:
            step = self.step  # as `_ask`: this is the hottest of its callers
            raw, decoded = step.signature.roundtrip(self._args, self._kwargs)
            return replay.ask_step(step, raw, self.file, self.line, decoded).__await__()
        return run_once(self.step, self._args, self._kwargs).__await__()

    def send(self, value: Any, /) -> Any:
        if self._driver is None:
            if self._begun:
                self._refuse()
            self._begun = True
            self._driver = self._drive()
        return self._driver.send(value)

    def throw(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
        /,
    ) -> Any:
        error = _instance_of(typ, val)
        if self._driver is not None:
            return self._driver.throw(error)
        self._begun = True  # cancelled before it began: the step is never asked for
        raise error.with_traceback(tb)

    def close(self) -> None:
        self._begun = True
        if self._driver is not None:
            self._driver.close()

    async def _drive(self) -> R:
        replay = current()
        if replay is not None:
            return await self._ask(replay)
        result: R = await run_once(self.step, self._args, self._kwargs)
        return result

    def _ask(self, replay: Replay) -> asyncio.Future[R]:
        step = self.step
        raw, decoded = step.signature.roundtrip(self._args, self._kwargs)
        return replay.ask_step(step, raw, self.file, self.line, decoded)

    def _refuse(self) -> NoReturn:
        raise RuntimeError(
            f"{place(self.file, self.line)}: this call of step {self.step.name} was awaited before: "
            "call the step again, or keep its result"
        )

    @property  # asyncio shows it in the names of tasks
    def __name__(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.step.name

    def __repr__(self) -> str:
        return f"<call of step {self.step.name} at {place(self.file, self.line)}>"

    def __del__(self) -> None:
        if not self._begun and not sys.is_finalizing() and not _evicted():
            warnings.warn_explicit(
                f"step {self.step.name!r} was never awaited",
                RuntimeWarning,
                self.file,
                self.line,
                registry=_warned,
            )


def _evicted() -> bool:
    """Whether an instance is being freed: what its code would still have awaited says nothing."""
    replay = current()
    return replay is not None and replay.closed


def _instance_of(typ: type[BaseException] | BaseException, val: object) -> BaseException:
    if isinstance(val, BaseException):
        return val
    if isinstance(typ, BaseException):
        return typ
    return typ() if val is None else typ(val)
