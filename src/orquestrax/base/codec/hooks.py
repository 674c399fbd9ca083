"""What msgspec does not know by itself, taught to it here.

Pydantic is never imported: a model is known by its bases, so it costs nothing where it is not installed.
"""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import msgspec


def is_model(cls: object) -> bool:
    """Whether `cls` is a pydantic model."""
    return _inherits(cls, "pydantic.main")


def is_old_model(cls: object) -> bool:
    """Whether `cls` is a pydantic model too old (before 2.11) to be validated by name and alias at once."""
    if _inherits(cls, "pydantic.v1.main"):
        return True
    validate = getattr(cls, "model_validate_json", None)
    return is_model(cls) and (validate is None or "by_name" not in inspect.signature(validate).parameters)


def _inherits(cls: object, module: str) -> bool:
    bases = getattr(cls, "__mro__", ())
    return any(base.__module__ == module and base.__name__ == "BaseModel" for base in bases)


def field_names(value: Any) -> list[str] | None:
    """The fields of an instance of a dataclass, msgspec.Struct or attrs class; None for anything else."""
    cls = type(value)
    if isinstance(value, msgspec.Struct):
        return list(value.__struct_fields__)
    if is_dataclass(cls):
        return [field.name for field in fields(cls)]
    attributes = getattr(cls, "__attrs_attrs__", None)
    return None if attributes is None else [attribute.name for attribute in attributes]


def model_items(model: Any) -> list[tuple[str, Any]]:
    """The fields of a pydantic model, extra ones too; its `__iter__` may be the user's own."""
    return [*vars(model).items(), *(getattr(model, "__pydantic_extra__", None) or {}).items()]


def to_plain(value: Any) -> Any:
    """Turn what msgspec cannot encode into what it can (its `enc_hook`)."""
    if isinstance(value, PurePath):
        return str(value)
    if is_model(type(value)):
        # By field name, which always validates again; the aliases of input and output may differ.
        return msgspec.Raw(value.model_dump_json(by_alias=False, round_trip=True).encode())
    # Subclasses of text and numbers, such as numpy.float64, without what the subclass adds.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, int):
        return int.__int__(value)
    raise NotImplementedError(f"`{type(value).__qualname__}` has no form in JSON")


def from_plain(cls: Any, plain: Any) -> Any:
    """Make a `cls` of decoded JSON (msgspec's `dec_hook`)."""
    if cls is object:
        return plain
    if is_model(cls):
        return _model(cls, plain)
    if not isinstance(plain, str):
        raise TypeError(f"Expected `str`, got `{type(plain).__name__}`")
    return cls(plain)


def _model(cls: Any, plain: Any) -> Any:
    """Validate as JSON, not as Python values: strict models and base64 bytes differ between the two."""
    try:
        return cls.model_validate_json(ENCODER.encode(plain), by_alias=True, by_name=True)
    except ValueError as error:
        if not hasattr(error, "errors"):
            raise
        raise ValueError(_first_complaint(cls, error.errors(include_url=False))) from None


def _first_complaint(cls: Any, complaints: list[dict[str, Any]]) -> str:
    first = complaints[0]
    path = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    return f"{first['msg']}{more} - at `{cls.__name__}{'.' if path else ''}{path}`"


ENCODER = msgspec.json.Encoder(enc_hook=to_plain)
