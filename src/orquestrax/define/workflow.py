"""Workflows: functions whose memory is their history.

Calling a workflow function runs nothing: it is started by a client (`client.start(fulfil, order)`), and its
code is run by the engine, through `main`: an `async def` as the coroutine that it is, a `def` in a greenlet.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import linecache
from collections.abc import Callable, Coroutine, Mapping
from types import CodeType
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, overload

from orquestrax.base.errors import DefinitionError, ForbiddenInWorkflow, NotInWorkflow
from orquestrax.define import threads
from orquestrax.define.checks import check_function, check_name, check_seconds, innermost, place, where_of
from orquestrax.define.record import record
from orquestrax.define.resource import uses_of
from orquestrax.define.signatures import Signature
from orquestrax.define.step_options import check_retry
from orquestrax.model.options import Retry, Seconds, WorkflowOptions
from orquestrax.replay.bridge import to_greenlet
from orquestrax.replay.context import current

P = ParamSpec("P")
R = TypeVar("R")


class Workflow(Generic[P, R]):
    """What `@workflow` makes of a function. Made by the decorator, not by hand.

    name, version  how the definition is known: no module in it
    fn             the function itself
    signature      its arguments and result as JSON
    file, line     where it is written, its decorators included
    source         its text, from `line` on; "" where the source is not to be had
    digest         SHA-256 (hex) of the file's text and the function's qualified name: tells other code apart
    doc            its docstring
    """

    fn: Callable[P, Any]

    def __init__(
        self,
        fn: Callable[P, Any],
        *,
        name: str | None = None,
        version: str = "",
        timeout: Seconds | None = None,
        retry: Retry | None = None,
    ) -> None:
        check_function("workflow", fn, name)
        self.fn = fn
        self.file, self.line = where_of(fn)
        at = place(self.file, self.line)
        _check_resources(fn, at)
        self.name = check_name("workflow", name if name is not None else fn.__name__, at)
        self.version = check_name("version", version, at) if version else ""
        self.options = WorkflowOptions(
            version=self.version, timeout=check_seconds("timeout", timeout, at), retry=check_retry(retry, at)
        )
        self.signature = Signature(fn, where=f"workflow {self.name!r} ({at})")
        self.source, self.digest = _code_of(fn, self.file, self.line)
        self.doc = inspect.getdoc(fn) or ""
        functools.update_wrapper(self, fn)
        threads.install()
        record(self)

    def __call__(self, *_args: P.args, **_kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Refused: NotInWorkflow outside of workflows, ForbiddenInWorkflow inside, each with what to do."""
        self._refuse()

    def main(self, arguments: bytes | str) -> Callable[[], Coroutine[Any, Any, R]]:
        """What makes the coroutine to run for these encoded arguments. PayloadError if they do not fit."""
        args, kwargs = self.signature.decode(arguments)
        return functools.partial(self.fn, *args, **kwargs)

    def _refuse(self) -> NoReturn:
        if current() is not None:
            raise ForbiddenInWorkflow(
                f"{self.name} is a workflow of its own: to run its code as part of this one, move it into a "
                "function without decorator and call that from both"
            )
        raise NotInWorkflow(
            f"{self.name}(…) runs nothing: start it with `await client.start({self.name}, …)`, or with "
            f"`ox.run({self.name}, …)` in a script; `{self.name}.fn` is the bare function"
        )

    def __repr__(self) -> str:
        return f"<workflow {self.name} at {place(self.file, self.line)}>"


class AsyncWorkflow(Workflow[P, R]):
    """A workflow whose function is an `async def`."""

    fn: Callable[P, Coroutine[Any, Any, R]]


class PlainWorkflow(Workflow[P, R]):
    """A workflow whose function is a `def`."""

    fn: Callable[P, R]

    def main(self, arguments: bytes | str) -> Callable[[], Coroutine[Any, Any, R]]:
        """What makes the coroutine that runs the function in a greenlet. PayloadError if these do not fit."""
        args, kwargs = self.signature.decode(arguments)
        return functools.partial(to_greenlet, self.fn, *args, **kwargs)  # pyright: ignore[reportReturnType] - no generics


class WorkflowDecorator:
    """`@workflow(…)` with its options, waiting for the function."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncWorkflow[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: Callable[P, R], /) -> PlainWorkflow[P, R]: ...
    def __call__(self, fn: Callable[..., Any], /) -> Any:
        cls: type[Workflow[..., Any]] = AsyncWorkflow if inspect.iscoroutinefunction(fn) else PlainWorkflow
        return cls(fn, **self._values)


@overload
def workflow(fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncWorkflow[P, R]: ...  # type: ignore[overload-overlap]
@overload
def workflow(fn: Callable[P, R], /) -> PlainWorkflow[P, R]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    version: str = "",
    timeout: Seconds | None = None,
    retry: Retry | None = None,
) -> WorkflowDecorator: ...
def workflow(
    fn: Any = None,
    /,
    *,
    name: str | None = None,
    version: str = "",
    timeout: Seconds | None = None,
    retry: Retry | None = None,
) -> Any:
    """Declare a workflow: an `async def` that awaits steps, timers and messages, or a `def` that calls them.

        @workflow
        async def fulfil(order: Order) -> str:
            return await charge(order)

        @workflow
        def fulfil(order: Order) -> str:
            return charge.call(order)

    name     by default the function's name
    version  a text that is stored with each instance
    timeout  limit for the whole run, all attempts together, from when it was started (seconds or a timedelta). Its
             code is then cancelled where it waits, has a minute to clean up, and the instance fails
    retry    how often a failed run is run again from its input, in the same instance; by default never

    Errors: DefinitionError names file and line.
    """
    decorator = WorkflowDecorator({"name": name, "version": version, "timeout": timeout, "retry": retry})
    return decorator if fn is None else decorator(fn)


def _check_resources(fn: Callable[..., Any], at: str) -> None:
    if uses := uses_of(fn):
        name = getattr(fn, "__name__", "?")
        raise DefinitionError(
            f"{at}: workflow {name} takes {next(iter(uses))} as a resource: resources belong to its steps"
        )


def _code_of(fn: Callable[..., Any], file: str, line: int) -> tuple[str, str]:
    """The function's text, and the digest of its file and name (of its byte code where there is none)."""
    linecache.checkcache(file)
    lines = linecache.getlines(file, getattr(fn, "__globals__", None))
    content = "".join(lines).encode() if lines else _byte_code(innermost(fn).__code__)
    digest = hashlib.sha256(content + b"\0" + fn.__qualname__.encode()).hexdigest()
    return "".join(inspect.getblock(lines[line - 1 :])) if lines else "", digest


def _byte_code(code: CodeType) -> bytes:
    inner = [_byte_code(const) for const in code.co_consts if isinstance(const, CodeType)]
    plain = [const for const in code.co_consts if not isinstance(const, CodeType)]
    return code.co_code + repr((code.co_names, plain, inner)).encode()
