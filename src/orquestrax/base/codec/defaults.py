"""Defaults that msgspec leaves out: on a dataclass that it decodes it does not set them.

Such a default is an attribute of the class only. The instance looks complete, but what is encoded of it lacks
the field, and would take another value on the day the default changes in the code.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from types import MemberDescriptorType
from typing import Any, NamedTuple

from msgspec import inspect as shape

from orquestrax.base.codec.shapes import walk


class Plan(NamedTuple):
    """What to do with the instances of a class: set `defaults`, look into the fields `inner`."""

    defaults: tuple[tuple[str, Any], ...]
    inner: tuple[str, ...]


Plans = dict[type, Plan]


def plan_defaults(root: shape.Type) -> Plans:
    """How to complete decoded values of a type; empty if there is nothing to complete."""
    plans: Plans = {}
    for node in walk(root):
        match node:
            case shape.DataclassType() | shape.StructType() | shape.NamedTupleType():
                cls = getattr(node.cls, "__origin__", node.cls)
                inner = tuple(field.name for field in node.fields if _is_incomplete(field.type))
                plans[cls] = Plan(_left_out(node), inner)
            case _:
                continue
    return plans if _is_incomplete(root) else {}


def set_defaults(value: Any, plans: Plans) -> None:
    """Set, in all of a decoded value, the defaults that were left out."""
    pending = [value]
    for item in pending:  # grows as it is walked through
        plan = plans.get(type(item))
        if plan is not None:
            for name, default in plan.defaults:
                item.__dict__.setdefault(name, default)
            pending.extend([getattr(item, name) for name in plan.inner])
        elif isinstance(item, list | tuple | set | frozenset):
            pending.extend(item)
        elif isinstance(item, dict):
            pending.extend(item.values())


def _is_incomplete(root: shape.Type) -> bool:
    return any(_left_out(node) for node in walk(root))


def _left_out(node: shape.Type) -> tuple[tuple[str, Any], ...]:
    """The defaults of a dataclass that live in its class and not in a slot of the instance."""
    cls = getattr(node, "cls", None)
    cls = getattr(cls, "__origin__", cls)
    if not isinstance(node, shape.DataclassType) or not is_dataclass(cls):  # of attrs they are set
        return ()
    return tuple(
        (field.name, field.default)
        for field in fields(cls)
        if field.default is not MISSING and not isinstance(getattr(cls, field.name), MemberDescriptorType)
    )
