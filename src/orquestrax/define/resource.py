"""Resources as declared: pools, clients and models that steps take, made once per process, never journaled.

    @ox.resource
    async def db() -> AsyncIterator[Pool]:
        async with create_pool(...) as pool:
            yield pool

    @ox.step
    async def charge(order: Order, pool: Pool = ox.use(db)) -> str: ...

How they live is told in `resources`.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Generic, TypeVar, cast, overload

from orquestrax.base.errors import DefinitionError
from orquestrax.define.checks import caller, check_function, check_name, innermost, place, where_of
from orquestrax.define.given import Given

T = TypeVar("T")


class Resource(Generic[T]):
    """What `@resource` makes of a generator function. `uses` are the resources that it takes itself."""

    __slots__ = ("__weakref__", "file", "fn", "is_async", "line", "name", "uses")

    def __init__(self, fn: Callable[..., AsyncIterator[T] | Iterator[T]], *, name: str | None = None) -> None:
        function = check_function("resource", fn, name)
        self.fn = fn
        self.file, self.line = where_of(fn)
        at = place(self.file, self.line)
        self.is_async = inspect.isasyncgenfunction(fn)
        if not self.is_async and not inspect.isgeneratorfunction(fn):
            raise DefinitionError(
                f"{at}: a resource is a generator function: `yield` it once, and close it below the yield"
            )
        self.name = check_name("resource", name or function.__name__, at)
        self.uses = uses_of(fn)
        if missing := set(_parameters(function)) - self.uses.keys():
            raise DefinitionError(
                f"{at}: resource {self.name} takes {', '.join(sorted(missing))}, but nobody passes it: "
                "read settings inside, or take other resources with ox.use(…)"
            )

    def __repr__(self) -> str:
        return f"<resource {self.name} at {place(self.file, self.line)}>"


@dataclass(frozen=True, slots=True)
class Use(Given):
    """The default of a parameter that a resource fills in; part of no schema and of no journal."""

    resource: Resource[Any]


@overload
def resource(fn: Callable[..., AsyncIterator[T]], /) -> Resource[T]: ...
@overload
def resource(fn: Callable[..., Iterator[T]], /) -> Resource[T]: ...
@overload
def resource(*, name: str | None = None) -> _Decorator: ...
def resource(fn: Any = None, /, *, name: str | None = None) -> Any:
    """Declare a resource: an `async def` (or `def`) that yields it once and closes it below the yield.

    A plain `def` runs in a thread. It may take other resources with `ox.use`, and no other parameters.
    Errors: DefinitionError if it is no generator function or has other parameters.
    """
    return _Decorator(name) if fn is None else Resource(fn)


class _Decorator:
    def __init__(self, name: str | None) -> None:
        self._name = name

    @overload
    def __call__(self, fn: Callable[..., AsyncIterator[T]], /) -> Resource[T]: ...
    @overload
    def __call__(self, fn: Callable[..., Iterator[T]], /) -> Resource[T]: ...
    def __call__(self, fn: Any, /) -> Any:
        return Resource(fn, name=self._name)


def use(resource: Resource[T]) -> T:
    """The default of a step's parameter that takes this resource: `pool: Pool = ox.use(db)`."""
    if not isinstance(resource, Resource):
        raise DefinitionError(
            f"{caller()}: ox.use({resource!r}): pass what @ox.resource decorated, without calling it"
        )
    return cast("T", Use(resource))


def uses_of(fn: Callable[..., Any]) -> dict[str, Resource[Any]]:
    """Which parameters of a function take which resources. Hints are not looked at: they may not resolve."""
    function = innermost(fn)
    names = positional_of(fn)
    defaults = function.__defaults__ or ()
    by_position = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    found = {name: value.resource for name, value in by_position.items() if isinstance(value, Use)}
    if hidden := found.keys() & set(names[: function.__code__.co_posonlyargcount]):
        raise DefinitionError(
            f"{place(*where_of(fn))}: {min(hidden)} takes a resource, passed by name: put it after the `/`"
        )
    by_name = function.__kwdefaults__ or {}
    return found | {name: value.resource for name, value in by_name.items() if isinstance(value, Use)}


def positional_of(fn: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the parameters that may be passed by position, in order."""
    code = innermost(fn).__code__
    return code.co_varnames[: code.co_argcount]


def _parameters(function: FunctionType) -> tuple[str, ...]:
    code = function.__code__
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + stars]
