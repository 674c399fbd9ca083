"""Input that people write for a definition that the database knows, without its code at hand.

The rule is that of `define.inputs`, and so are the sentences of refusals. The types come from the registered
JSON schema; what types cannot say (a smallest number, a pattern) its validator checks.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from orquestrax.base.codec import ANY, Codec
from orquestrax.base.errors import PayloadError
from orquestrax.client.schematypes import SchemaTypes
from orquestrax.core.store.clientverbs import DefinitionView
from orquestrax.define.signatures import Signature


def encode_by_schema(definition: DefinitionView, raw: bytes | None) -> tuple[bytes, bytes]:
    """The array of arguments to store, and its digest: as `Signature` makes them with the code.

    raw  the value of the one parameter; of several an array in order or an object by name; None if left out

    Raises PayloadError with what does not fit and where, PayloadTooLarge.
    """
    where = f"definition {definition.name!r}"
    document = msgspec.json.decode(definition.input_schema)
    signature = _signature(document, where)
    encoded = signature.decode_input(raw)
    _validate(document, signature.parameters, encoded, where)
    return encoded, signature.digest(encoded)


def _signature(document: Mapping[str, Any], where: str) -> Signature:
    """The signature that a function with this input schema has."""
    types = SchemaTypes(document)

    def taken(*_args: Any) -> None: ...

    taken.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [_parameter(name, schema, types.of(schema), where) for name, schema in _parameters(document)]
    )
    return Signature(taken, where=where)


def _parameters(document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Name and schema of each parameter.

    A single one is the whole document, and has a title, its name; several are the properties of an object.
    """
    if "title" in document:
        return [(str(document["title"]), document)]
    return list(document["properties"].items())


def _parameter(name: str, schema: Mapping[str, Any], hint: Any, where: str) -> inspect.Parameter:
    default = inspect.Parameter.empty
    if "default" in schema:
        default = Codec(hint, where=where).decode(msgspec.json.encode(schema["default"]))
    # By keyword, because only so may one without a default come after one that has it.
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)


def _validate(document: Mapping[str, Any], names: tuple[str, ...], encoded: bytes, where: str) -> None:
    import jsonschema  # noqa: PLC0415 - slow to import, and only needed where the code is not at hand

    arguments = ANY.decode(encoded)
    value = arguments[0] if "title" in document else dict(zip(names, arguments, strict=True))
    fault = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(document).iter_errors(value))
    if fault is not None:
        at = "" if fault.json_path == "$" else f" at {fault.json_path}"
        raise PayloadError(f"{where}: {fault.message}{at}")
