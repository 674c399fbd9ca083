"""Steps: functions whose results are kept, so that they run once for a workflow.

A step has four faces, the same for `async def` and `def`:

    await charge(order)             in a workflow: asks for the step, durably; elsewhere: runs the function
    charge.call(order)              the same, blocking: for plain `def` workflows, scripts and frameworks
    charge.fn(order)                the undecorated function, for unit tests
    charge.options(timeout=5)       the same step with other options
"""

from __future__ import annotations

import copy
import functools
import inspect
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, ParamSpec, Self, TypeVar, overload

from orquestrax.base import failures
from orquestrax.base.errors import DefinitionError, ForbiddenInWorkflow
from orquestrax.define.call import Call
from orquestrax.define.checks import check_function, check_name, place, where_of
from orquestrax.define.outside import run_blocking
from orquestrax.define.raised import rebuild
from orquestrax.define.record import record
from orquestrax.define.resource import Resource, positional_of, uses_of
from orquestrax.define.signatures import Signature
from orquestrax.define.step_options import Options, options_of
from orquestrax.define.transaction import Taken, transaction_of
from orquestrax.model.options import Executor, Retry, Seconds, StepOptions
from orquestrax.replay.bridge import running_plain
from orquestrax.replay.context import current

P = ParamSpec("P")
R = TypeVar("R")


class Step(Generic[P, R]):
    """What `@step` makes of a function. Made by the decorator, not by hand.

    name        how the step is known in histories and queues: no module in it
    fn          the function itself
    options     how it is run; call it for the same step with other options
    signature   its arguments and result as JSON
    uses        which parameters take which resources
    transaction which parameter takes the transaction, of a transactional step
    file, line  where it is written
    declared    the step as it was declared, of which this one may be a copy with other options
    """

    name: str
    fn: Callable[P, Any]
    options: Options[Self]
    signature: Signature
    is_async: bool
    uses: Mapping[str, Resource[Any]]
    transaction: Taken | None
    positional: tuple[str, ...]
    file: str
    line: int
    declared: Step[P, R]

    def __init__(self, fn: Callable[P, Any], *, name: str | None, **values: Any) -> None:
        check_function("step", fn, name)
        self.fn = fn
        self.declared = self
        self.file, self.line = where_of(fn)
        at = place(self.file, self.line)
        self.name = check_name("step", name if name is not None else fn.__qualname__, at)
        self.is_async = inspect.iscoroutinefunction(fn)
        self.uses = uses_of(fn)
        self.positional = positional_of(fn)
        self.options = options_of(values, is_async=self.is_async, at=at, make=self._with)
        _check_place(fn, self.options, at)
        self.transaction = self._transaction()
        self.signature = Signature(fn, where=f"step {self.name!r} ({at})")
        self.decode_result: Callable[[bytes | str], R] = self.signature.result.decode
        functools.update_wrapper(self, fn)
        record(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """The call, to be awaited once."""
        frame = sys._getframe(1)  # noqa: SLF001 - where a step is asked for is shown to people; inspect is slow
        file, line = frame.f_code.co_filename, frame.f_lineno
        return Call(self, args, kwargs, file, line)  # pyright: ignore[reportArgumentType] - it binds `fn`

    def call(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask for the step and wait for it, in a plain `def` workflow; elsewhere run the function, once.

        Errors: ForbiddenInWorkflow in an `async def` workflow, BlockingCall where an event loop runs in this
        thread, and whatever the function raises.
        """
        result: R
        if current() is None:
            result = run_blocking(self, args, kwargs)  # pyright: ignore[reportArgumentType] - it binds `fn`
            return result
        plain = running_plain()
        if plain is None:
            raise ForbiddenInWorkflow(
                f"{self.name}.call(…) blocks: in an `async def` workflow write `await {self.name}(…)`, "
                "and call a plain def that uses it as `await ox.to_greenlet(function, …)`"
            )
        file, line = self._called_at()
        result = plain.wait(Call(self, args, kwargs, file, line))  # pyright: ignore[reportArgumentType]
        return result

    def _called_at(self) -> tuple[str, int]:
        """Where `call` was called; where the step is written if nobody did: `to_greenlet(charge.call, order)`."""
        try:
            frame = sys._getframe(2)  # noqa: SLF001 - as in __call__
        except ValueError:
            return self.file, self.line
        return frame.f_code.co_filename, frame.f_lineno

    def rebuild_error(self, raw: bytes | str) -> BaseException:
        """The exception that a workflow sees: one of `raises=` as itself, else `StepFailed`."""
        return rebuild(failures.decode(raw), self.options.raises)

    def _with(self, values: dict[str, Any]) -> Self:
        other = copy.copy(self)
        at = place(self.file, self.line)
        other.options = options_of(values, is_async=self.is_async, at=at, make=self._with)
        _check_place(self.fn, other.options, at)
        other.transaction = other._transaction()  # noqa: SLF001 - a copy of this one
        return other

    def _transaction(self) -> Taken | None:
        return transaction_of(self.fn, transactional=self.options.transactional, is_async=self.is_async)

    def __repr__(self) -> str:
        return f"<step {self.name} at {place(self.file, self.line)}>"


class AsyncStep(Step[P, R]):
    """A step whose function is an `async def`."""

    fn: Callable[P, Coroutine[Any, Any, R]]


class PlainStep(Step[P, R]):
    """A step whose function is a `def`."""

    fn: Callable[P, R]


class StepDecorator:
    """`@step(…)` with its options, waiting for the function."""

    def __init__(self, name: str | None, values: Mapping[str, Any]) -> None:
        self._name, self._values = name, values

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncStep[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: Callable[P, R], /) -> PlainStep[P, R]: ...
    def __call__(self, fn: Callable[..., Any], /) -> Any:
        cls: type[Step[..., Any]] = AsyncStep if inspect.iscoroutinefunction(fn) else PlainStep
        return cls(fn, name=self._name, **self._values)


@overload
def step(fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncStep[P, R]: ...  # type: ignore[overload-overlap]
@overload
def step(fn: Callable[P, R], /) -> PlainStep[P, R]: ...
@overload
def step(
    *,
    name: str | None = None,
    queue: str = "default",
    retry: Retry | None = None,
    timeout: Seconds | None = None,
    total_timeout: Seconds | None = None,
    queue_timeout: Seconds | None = None,
    heartbeat_timeout: Seconds | None = None,
    executor: Executor | None = None,
    memory: int | str | None = None,
    raises: tuple[type[BaseException], ...] = (),
    at_most_once: bool = False,
    transactional: bool = False,
) -> StepDecorator: ...
def step(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    queue: str = "default",
    retry: Retry | None = None,
    timeout: Seconds | None = None,
    total_timeout: Seconds | None = None,
    queue_timeout: Seconds | None = None,
    heartbeat_timeout: Seconds | None = None,
    executor: Executor | None = None,
    memory: int | str | None = None,
    raises: tuple[type[BaseException], ...] = (),
    at_most_once: bool = False,
    transactional: bool = False,
) -> Any:
    """Declare a step: a function whose result is kept, so that it runs once for a workflow.

        @step(timeout=30, retry=Retry(attempts=5), raises=(PaymentDeclined,))
        async def charge(order: Order) -> str: ...

    All durations are seconds or a timedelta; None is no limit.

    name               by default the function's qualified name; holds no module, so code may move
    queue              nodes that serve this queue may run it
    retry              how often a failed attempt is repeated; by default never
    timeout            limit for one attempt
    total_timeout      limit for all attempts and the waits between them
    queue_timeout      limit for the time until the first attempt starts
    heartbeat_timeout  limit for the time between two calls of `ox.heartbeat` or `ox.progress` in an attempt
    executor           "async" (the event loop) for an `async def`; for a `def` "thread", or "process": a child
                       process, killed when a limit has passed or nobody waits for the step any more
    memory             what that process may allocate: bytes, or text such as "512MB" (on Linux)
    raises             exceptions that reach the workflow as themselves, rebuilt from their arguments
    at_most_once       begun once and never again after its node was lost: the workflow then gets StepInterrupted
    transactional      what it does over the connection that `ox.transaction()` hands it is committed together
                       with its result: exactly once

    Errors: DefinitionError names file, line and the option that is wrong.
    """
    values = {
        "queue": queue,
        "retry": retry,
        "timeout": timeout,
        "total_timeout": total_timeout,
        "queue_timeout": queue_timeout,
        "heartbeat_timeout": heartbeat_timeout,
        "executor": executor,
        "memory": memory,
        "raises": raises,
        "at_most_once": at_most_once,
        "transactional": transactional,
    }
    decorator = StepDecorator(name, values)
    return decorator if fn is None else decorator(fn)


def _check_place(fn: Callable[..., Any], options: StepOptions, at: str) -> None:
    """A child process finds a step by importing its module."""
    if options.executor == "process" and "<locals>" in fn.__qualname__:
        raise DefinitionError(
            f"{at}: executor='process': {fn.__name__} is made inside of a function, where a child process does not "
            "find it: define it at the top level of its module"
        )
