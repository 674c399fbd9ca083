"""What a callable takes and gives, read once from its signature and hints."""

from __future__ import annotations

import inspect
import sys
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orquestrax.base.codec import ANY, Codec
from orquestrax.base.errors import DefinitionError, InvalidInput
from orquestrax.define.given import Given
from orquestrax.define.resource import Use

if TYPE_CHECKING:
    from collections.abc import Callable

    from orquestrax.base.codec.schemas import SchemaBuilder

_KIND = inspect.Parameter
_STARS: dict[Any, str] = {_KIND.VAR_POSITIONAL: "*", _KIND.VAR_KEYWORD: "**"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One journaled parameter. `default` is its encoded default, None if it must be given."""

    name: str
    codec: Codec[Any]
    annotation: Any
    default: bytes | None
    keyword: bool  # must be handed over by name

    def schema_in(self, builder: SchemaBuilder) -> dict[str, Any]:
        """Its JSON schema, with title and default."""
        schema = {"title": self.name} | self.codec.schema_in(builder)
        return schema if self.default is None else schema | {"default": ANY.decode(self.default)}


def signature_of(fn: Callable[..., Any], *, where: str) -> inspect.Signature:
    """The signature of `fn` with hints as they stand: those of resources need not be resolvable."""
    options: dict[str, Any] = {}
    if sys.version_info >= (3, 14):  # hints are evaluated when asked for, so ask for what can be had
        from annotationlib import Format  # noqa: PLC0415 - a module of 3.14

        options["annotation_format"] = Format.FORWARDREF
    try:
        return inspect.signature(fn, **options)
    except (TypeError, ValueError) as error:
        raise DefinitionError(
            f"{where}: its signature cannot be read ({error}); write it as a function"
        ) from None


def resources_of(signature: inspect.Signature) -> dict[str, Use]:
    """The parameters that take a resource."""
    return {name: p.default for name, p in signature.parameters.items() if isinstance(p.default, Use)}


def parameters_of(
    fn: Callable[..., Any], signature: inspect.Signature, *, where: str
) -> tuple[Parameter, ...]:
    """The journaled parameters in order; raises DefinitionError for what cannot be journaled."""
    found: list[Parameter] = []
    by_name = False  # a resource is left out, so what follows it can only be handed over by name
    for parameter in signature.parameters.values():
        if isinstance(parameter.default, Given):
            by_name = True
            continue
        _refuse(parameter, by_name=by_name, where=where)
        keyword = by_name or parameter.kind is _KIND.KEYWORD_ONLY
        found.append(_parameter(fn, parameter, keyword=keyword, where=where))
    return tuple(found)


def _refuse(parameter: inspect.Parameter, *, by_name: bool, where: str) -> None:
    """Refuse what has no place in a JSON array of arguments, nor in a form with one field per parameter."""
    stars = _STARS.get(parameter.kind)
    if stars:
        kind = "list" if stars == "*" else "dict"
        raise DefinitionError(
            f"{where}: {stars}{parameter.name} cannot be journaled, because each argument is stored, checked "
            f"and shown under its own name; take one parameter that is a {kind} instead"
        )
    if by_name and parameter.kind is _KIND.POSITIONAL_ONLY:
        raise DefinitionError(f"{where}: {parameter.name} is positional-only after a resource; put it before")


def _parameter(
    fn: Callable[..., Any], parameter: inspect.Parameter, *, keyword: bool, where: str
) -> Parameter:
    name = parameter.name
    annotation = resolve(fn, parameter.annotation, of=f"argument {name!r}", where=where)
    codec: Codec[Any] = Codec(annotation, where=f"{where}, argument {name!r}")
    default = None
    if parameter.default is not _KIND.empty:
        try:
            default = codec.encode(parameter.default)
        except InvalidInput as error:
            raise DefinitionError(f"{error}; this is its default, which must fit the hint") from None
    return Parameter(name, codec, annotation, default, keyword)


def resolve(fn: Callable[..., Any], annotation: Any, *, of: str, where: str) -> Any:
    """The type that a hint means; Any without one. Raises DefinitionError naming what cannot be resolved."""
    if annotation is inspect.Parameter.empty:
        return Any
    origin = inspect.unwrap(fn)

    def carrier() -> None: ...

    carrier.__annotations__ = {"hint": annotation}
    if sys.version_info >= (3, 12):
        carrier.__type_params__ = getattr(origin, "__type_params__", ())
    try:
        names = getattr(origin, "__globals__", {})
        return typing.get_type_hints(carrier, globalns=names, include_extras=True)["hint"]
    except NameError as error:
        raise DefinitionError(
            f"{where}: the hint of {of} names {error.name!r}, which its module does not define; "
            "import or define it at module level, and not under TYPE_CHECKING"
        ) from None
    except Exception as error:  # noqa: BLE001 - a hint is an expression of the user's
        raise DefinitionError(f"{where}: the hint of {of} cannot be resolved: {error}") from None
