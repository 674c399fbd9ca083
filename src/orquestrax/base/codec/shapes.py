"""What a type is made of, and whether values of it survive JSON. Asked once, when something is registered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Never, NoReturn

import msgspec
from msgspec import inspect as shape

from orquestrax.base.codec.hooks import is_model, is_old_model
from orquestrax.base.codec.sentences import remedy

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEYS = (
    shape.AnyType,
    shape.StrType,
    shape.IntType,
    shape.FloatType,
    shape.EnumType,
    shape.BytesType,
    shape.UUIDType,
    shape.DecimalType,
    shape.DateTimeType,
    shape.DateType,
    shape.TimeType,
    shape.TimeDeltaType,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A type as msgspec sees it, and in which ways JSON may silently change a value of it.

    `nullable`: it takes null, which a number that is not finite becomes.
    `worded`: such a number may become a word, as a Decimal and as a key of a dict.
    `timed`: an offset from UTC may have seconds, which are lost.
    `unordered`: equal values may give different bytes, or msgspec cannot sort them.
    """

    annotation: Any
    root: shape.Type
    nullable: bool
    worded: bool
    timed: bool
    unordered: bool


def read_shape(annotation: Any) -> Shape:
    """Take `annotation` apart; raises ValueError, with a remedy, if values of it cannot be stored."""
    annotation = None if annotation in (NoReturn, Never) else annotation  # what never returns stores nothing
    try:
        msgspec.json.Decoder(annotation)
        root = shape.type_info(annotation)
        nodes = list(walk(root))
    except NameError as error:
        raise ValueError(
            f"a field's hint names {error.name!r}, which is not defined in its module; import it there, "
            "and not under TYPE_CHECKING"
        ) from None
    except (TypeError, ValueError) as error:
        raise ValueError(remedy(error)) from None
    for node in nodes:
        _check(node)
    return Shape(
        annotation,
        root,
        nullable=any(map(_nullable, nodes)),
        worded=any(map(_worded, nodes)),
        timed=any(isinstance(node, shape.DateTimeType | shape.TimeType) for node in nodes),
        unordered=any(map(_unordered, nodes)),
    )


def walk(root: shape.Type) -> Iterator[shape.Type]:
    """Every node of the type once; types may contain themselves."""
    seen, stack = {id(root)}, [root]
    while stack:
        node = stack.pop()
        yield node
        fresh = [child for child in children(node) if id(child) not in seen]
        seen.update(map(id, fresh))
        stack.extend(fresh)


def children(node: shape.Type) -> tuple[shape.Type, ...]:  # noqa: PLR0911 - one line per kind of type
    """The types directly within `node`."""
    match node:
        case shape.Metadata():
            return (node.type,)
        case shape.CollectionType():
            return (node.item_type,)
        case shape.TupleType():
            return node.item_types
        case shape.DictType():
            return (node.key_type, node.value_type)
        case shape.UnionType():
            return node.types
        case shape.StructType() | shape.DataclassType() | shape.TypedDictType() | shape.NamedTupleType():
            return tuple(field.type for field in node.fields)
        case _:
            return ()


def bare(node: shape.Type) -> shape.Type:
    """The type without its title, description and the like."""
    while isinstance(node, shape.Metadata):
        node = node.type
    return node


def _check(node: shape.Type) -> None:
    match node:
        case shape.CustomType():
            _check_custom(node.cls)
        case shape.DataclassType() if hasattr(node.cls, "__pydantic_validator__"):
            raise ValueError(
                f"{_name(node.cls)} is a pydantic dataclass; make it a pydantic model or a plain dataclass"
            )
        case shape.DataclassType() if hasattr(node.cls, "__attrs_attrs__"):
            _check_attrs(node)
        case shape.DictType() if not _is_key(bare(node.key_type)):
            raise ValueError(
                "a dict's keys must be of one type that is text or a number in JSON (str, int, an enum, "
                "a UUID …); use a list of pairs for other keys"
            )
        case shape.RawType() | shape.ExtType():
            raise ValueError("msgspec.Raw and msgspec.msgpack.Ext are not JSON values; use Any")
        case _:
            return


def _check_attrs(node: shape.DataclassType) -> None:
    private = next((field.name for field in node.fields if field.name.startswith("_")), None)
    if private:
        raise ValueError(
            f"{_name(node.cls)} has the private field {private}, which attrs hides; make it public"
        )


def _check_custom(cls: Any) -> None:
    if cls is object or (isinstance(cls, type) and issubclass(cls, PurePath)):
        return
    if is_old_model(cls):
        raise ValueError(f"{_name(cls)} is a model of an old pydantic; use pydantic 2.11 or newer")
    if not is_model(cls):
        raise ValueError(
            f"values of {_name(cls)} have no form in JSON; use plain types, a dataclass, a TypedDict, a "
            "msgspec.Struct or a pydantic model"
        )


def _is_key(node: shape.Type) -> bool:
    if isinstance(node, shape.LiteralType):
        return all(isinstance(value, str) for value in node.values)
    return isinstance(node, _KEYS)


def _nullable(node: shape.Type) -> bool:
    if isinstance(node, shape.LiteralType):
        return None in node.values
    return isinstance(node, shape.AnyType | shape.CustomType | shape.NoneType)


def _worded(node: shape.Type) -> bool:
    if isinstance(node, shape.DictType):
        return isinstance(bare(node.key_type), shape.FloatType)
    return isinstance(node, shape.AnyType | shape.CustomType | shape.DecimalType)


def _unordered(node: shape.Type) -> bool:
    match node:
        case shape.SetType() | shape.FrozenSetType() | shape.CustomType():
            return True
        case shape.DictType():
            return not isinstance(bare(node.key_type), shape.StrType | shape.AnyType)
        case _:
            return False


def _name(cls: Any) -> str:
    return f"`{getattr(cls, '__qualname__', cls)}`"
