"""What may be set on a step, checked once, and set anew by `step.options(…)`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final, Generic, TypedDict, TypeVar, Unpack

from orquestrax.base.errors import DefinitionError
from orquestrax.define.checks import check_name, check_seconds
from orquestrax.model.options import ONCE, Executor, Retry, Seconds, StepOptions

S = TypeVar("S")
_LIMITS: Final = ("timeout", "total_timeout", "queue_timeout", "heartbeat_timeout")

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(|B|[KMGT]i?B)", re.IGNORECASE)
_UNITS: Final = {"": 1, "B": 1} | {
    f"{prefix}{binary}B": base**power
    for power, prefix in enumerate("KMGT", start=1)
    for binary, base in (("", 1000), ("I", 1024))
}


class StepChanges(TypedDict, total=False):
    """The options of a step; see `orquestrax.step`."""

    queue: str
    retry: Retry | None
    timeout: Seconds | None
    total_timeout: Seconds | None
    queue_timeout: Seconds | None
    heartbeat_timeout: Seconds | None
    executor: Executor | None
    memory: int | str | None
    raises: tuple[type[BaseException], ...]
    at_most_once: bool
    transactional: bool


class Options(StepOptions, Generic[S]):
    """The options of a step, to be read, and to be called for the same step with other options.

    charge.options.timeout              -> 30.0
    charge.options(timeout=5)(order)    -> a call of charge that may take 5 s
    """

    __slots__ = ("_make",)
    _make: Callable[[dict[str, Any]], S]

    def __call__(self, **changes: Unpack[StepChanges]) -> S:
        """The same step, under the same name, with these options changed. DefinitionError if one is wrong."""
        return self._make({**_values_of(self), **changes})


def options_of(
    values: dict[str, Any], *, is_async: bool, at: str, make: Callable[[dict[str, Any]], Any]
) -> Options[Any]:
    """Checked options; `make` makes the step of other values. DefinitionError names the option and `at`."""
    known = StepChanges.__annotations__
    if unknown := values.keys() - known.keys():
        raise DefinitionError(
            f"{at}: a step has no option {', '.join(sorted(unknown))}; it has {', '.join(known)}"
        )
    executor = _executor(values["executor"], is_async, at)
    limits: dict[str, Any] = {name: check_seconds(name, values[name], at) for name in _LIMITS}
    checked: Options[Any] = Options(
        queue=check_name("queue", values["queue"], at),
        retry=check_retry(values["retry"], at),
        executor=executor,
        memory=_memory(values["memory"], executor, at),
        raises=_raises(values["raises"], at),
        **_promises(values, executor, at),
        **limits,
    )
    object.__setattr__(checked, "_make", make)
    return checked


def _values_of(options: StepOptions) -> dict[str, Any]:
    return {field.name: getattr(options, field.name) for field in fields(StepOptions) if field.init}


def check_retry(value: Any, at: str) -> Retry:
    """A policy; None is one attempt."""
    if value is None:
        return ONCE
    if not isinstance(value, Retry):
        raise DefinitionError(f"{at}: retry={value!r}: write retry=Retry(attempts=…)")
    return value


def _executor(value: Any, is_async: bool, at: str) -> Executor:
    own: Executor = "async" if is_async else "thread"
    if value is None or value == own:
        return own
    if value not in ("async", "thread", "process"):
        raise DefinitionError(
            f"{at}: executor={value!r}: it is 'async' for an async def, 'thread' or 'process' for a def"
        )
    if is_async:
        raise DefinitionError(f"{at}: executor={value!r} is for a def; an async def runs on the event loop")
    if value == "process":
        return "process"
    raise DefinitionError(f"{at}: executor='async' is for an async def; a plain def runs in a thread")


def _promises(values: dict[str, Any], executor: Executor, at: str) -> dict[str, bool]:
    """How often it may take effect."""
    once, exactly = values["at_most_once"], values["transactional"]
    for option, value in (("at_most_once", once), ("transactional", exactly)):
        if not isinstance(value, bool):
            raise DefinitionError(f"{at}: {option}={value!r}: give True or False")
    if once and exactly:
        raise DefinitionError(
            f"{at}: transactional=True takes effect exactly once already: leave at_most_once out"
        )
    if exactly and executor == "process":
        raise DefinitionError(
            f"{at}: transactional=True needs executor='thread': a child process cannot share the transaction"
        )
    return {"at_most_once": once, "transactional": exactly}


def _memory(value: Any, executor: Executor, at: str) -> int | None:
    if value is None:
        return None
    if executor != "process":
        raise DefinitionError(
            f"{at}: memory={value!r} is for steps in a process of their own: executor='process'"
        )
    match = _SIZE.fullmatch(str(value).strip()) if isinstance(value, str | int) else None
    size = 0 if match is None else int(float(match[1]) * _UNITS[match[2].upper()])
    if isinstance(value, bool) or size < 1:
        raise DefinitionError(f"{at}: memory={value!r}: give bytes, or text such as '512MB' or '2GiB'")
    return size


def _raises(value: Any, at: str) -> tuple[type[BaseException], ...]:
    classes = value if isinstance(value, tuple | list) else (value,)
    for cls in classes:
        if not (isinstance(cls, type) and issubclass(cls, Exception)):
            raise DefinitionError(f"{at}: raises={value!r}: name exception classes, in a tuple")
    return tuple(classes)
