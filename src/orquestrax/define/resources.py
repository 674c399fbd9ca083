"""Resources as they live: those of one node, or of one event loop outside of nodes.

A resource is made at its first use; who comes meanwhile waits for the same creation. A creation that fails
fails the attempts that waited for it and is tried anew by the next one. `aclose` closes in reverse order of
creation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol, TypeVar
from weakref import WeakKeyDictionary, ref

from orquestrax.define.keeper import Keeper
from orquestrax.define.resource import Resource, Use, resource, use, uses_of

__all__ = [
    "Resource",
    "Resources",
    "Use",
    "active",
    "of_running_loop",
    "overriding",
    "resource",
    "use",
    "uses_of",
]

T = TypeVar("T")


class Taker(Protocol):
    """What takes resources, a step or another resource: which parameters take which."""

    @property
    def uses(self) -> Mapping[str, Resource[Any]]: ...


class Resources:
    """Living resources. All belong to the event loop of the first use and are to be used there."""

    def __init__(self) -> None:
        self._keepers: dict[Resource[Any], Keeper] = {}
        self._order: list[Keeper] = []
        self._loop: ref[asyncio.AbstractEventLoop] | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop to which they belong, once there is one."""
        return None if self._loop is None else self._loop()

    async def get(self, resource: Resource[T]) -> T:
        """The living resource, made now if this is its first use. What its creation raises is raised here."""
        value = _overrides.get(resource, resource)
        if not isinstance(value, Resource):
            overriding: T = value
            return overriding
        keeper = self._keepers.get(value)
        if keeper is None:
            keeper = self._keepers[value] = self._keep(value)
        living: T = await asyncio.shield(keeper.ready)
        return living

    async def bind(
        self, taker: Taker, kwargs: Mapping[str, Any], passed: Collection[str] = ()
    ) -> dict[str, Any]:
        """`kwargs` with the resources filled in that are in neither `kwargs` nor `passed`, after `enter`."""
        self.enter()
        return await self._bind(taker, kwargs, passed) if taker.uses else dict(kwargs)

    def enter(self) -> None:
        """From here on the steps that the current task runs directly take their resources from here."""
        if self._loop is None:
            self._loop = ref(asyncio.get_running_loop())
        _active.set(self)

    async def aclose(self) -> None:
        """Close what is open, in reverse order. All are closed before the first error is raised."""
        keepers = list(self._keepers.values())
        for keeper in keepers:
            keeper.close()
        outcomes = await asyncio.gather(*(keeper.task for keeper in keepers), return_exceptions=True)
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if errors:
            raise errors[0]

    async def _bind(
        self, taker: Taker, kwargs: Mapping[str, Any], passed: Collection[str] = ()
    ) -> dict[str, Any]:
        bound = dict(kwargs)
        for name, taken in taker.uses.items():
            if name not in bound and name not in passed:
                bound[name] = await self.get(taken)
        return bound

    def _keep(self, resource: Resource[Any]) -> Keeper:
        return Keeper(
            resource,
            order=self._order,
            bind=lambda taker: self._bind(taker, {}),
            forget=lambda: self._forget(resource),
        )

    def _forget(self, resource: Resource[Any]) -> None:
        self._keepers.pop(resource, None)


_active: ContextVar[Resources | None] = ContextVar("orquestrax_resources", default=None)
_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Resources] = WeakKeyDictionary()
_overrides: dict[Resource[Any], Any] = {}
_NONE: Final = object()


def active() -> Resources | None:
    """The resources from which the body that runs now was given its own, if it was."""
    return _active.get()


def of_running_loop() -> Resources:
    """The resources for a step that is run directly: those of the body around it, else those of the loop."""
    loop = asyncio.get_running_loop()
    around = _active.get()
    if around is not None and around.loop is loop:
        return around
    return _by_loop.setdefault(loop, Resources())


@contextmanager
def overriding(resource: Resource[T], value: T | Resource[T]) -> Iterator[None]:
    """Use `value` (or another resource) in place of `resource` in this whole process while the block runs."""
    before = _overrides.get(resource, _NONE)
    _overrides[resource] = value
    try:
        yield
    finally:
        if before is _NONE:
            del _overrides[resource]
        else:
            _overrides[resource] = before
