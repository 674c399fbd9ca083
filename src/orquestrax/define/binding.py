"""Calls to values in the order of the parameters, and back."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from orquestrax.base.errors import PayloadError
from orquestrax.define.given import Given
from orquestrax.define.inputs import names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orquestrax.define.parameters import Parameter

Values = tuple[Any, ...]


class Binding:
    """Binds arguments as Python does, to the journaled parameters only, defaults filled in."""

    def __init__(self, signature: inspect.Signature, items: Sequence[Parameter], *, where: str) -> None:
        self._signature, self._items, self._where = signature, items, where
        self._names = tuple(item.name for item in items)
        self._positional = sum(not item.keyword for item in items)
        self._defaults = {
            p.name: p.default for p in signature.parameters.values() if p.default is not p.empty
        }
        self._tails = self._count_tails()
        kinds = {signature.parameters[name].kind for name in self._names}
        self._plain = inspect.Parameter.POSITIONAL_ONLY not in kinds

    def values(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Values:
        """The values of all parameters in order; raises PayloadError for a call that does not fit."""
        if kwargs:
            values = self._by_name(args, kwargs)
        else:
            tail = self._tails.get(len(args))
            values = None if tail is None else args + tail
        return self._by_python(args, kwargs) if values is None else values

    def as_call(self, values: Values) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named arguments that hand over `values`."""
        if self._positional == len(values):
            return values, {}
        named = zip(self._names[self._positional :], values[self._positional :], strict=True)
        return values[: self._positional], dict(named)

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Values | None:
        """What `inspect.Signature.bind` does, but faster; None where that has to say what is wrong."""
        if len(args) > self._positional or not self._plain:
            return None
        values, used = list(args), 0
        for name in self._names[len(args) :]:
            if name in kwargs:
                used += 1
                values.append(kwargs[name])
            elif name in self._defaults:
                values.append(self._defaults[name])
            else:
                return None
        return tuple(values) if used == len(kwargs) else None

    def _by_python(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Values:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise PayloadError(f"{self._where}: {error}; it takes {names_of(self._items)}") from None
        for name, value in bound.arguments.items():
            if isinstance(self._defaults.get(name), Given) and not isinstance(value, Given):
                raise PayloadError(f"{self._where}: {name!r} is filled in by the node; leave it out")
        bound.apply_defaults()
        return tuple(bound.arguments[name] for name in self._names)

    def _count_tails(self) -> dict[int, Values]:
        """For each number of positional arguments that suffices, the defaults that make it complete."""
        tails: dict[int, Values] = {}
        for count in range(len(self._names), -1, -1):
            if count <= self._positional:
                tails[count] = tuple(self._defaults[name] for name in self._names[count:])
            if count and self._names[count - 1] not in self._defaults:
                break
        return tails
