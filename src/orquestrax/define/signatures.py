"""A callable's parameters and result as compiled codecs: calls to stored JSON and back."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from orquestrax.base.codec import Codec
from orquestrax.base.codec.schemas import SchemaBuilder
from orquestrax.base.errors import PayloadError, PayloadTooLarge
from orquestrax.define.binding import Binding
from orquestrax.define.inputs import stored_parts, written_parts
from orquestrax.define.parameters import parameters_of, resolve, resources_of, signature_of
from orquestrax.model.commands import Decoded

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGEST_BYTES = 16


class Signature:
    """What a workflow or step takes and gives.

    Arguments are journaled as one JSON array in the order of the parameters, defaults filled in. Resources
    are left out. `*args` and `**kwargs` are refused: an argument is stored, checked and shown under its name.
    Stored arrays that are shorter, from before a parameter was added, take the new one's default.

    `parameters` are the names of what is journaled, in order, `resources` those of what the node fills in,
    `result` the codec of the result. `where` begins every error ("step 'charge'"). Raises DefinitionError for
    hints that cannot be resolved or stored, and for defaults that do not fit their hints.
    """

    def __init__(self, fn: Callable[..., Any], *, where: str) -> None:
        self.fn, self.where = fn, where
        signature = signature_of(fn, where=where)
        self._items = parameters_of(fn, signature, where=where)
        self.parameters = tuple(item.name for item in self._items)
        self.resources = resources_of(signature)
        array = tuple.__class_getitem__(tuple(item.annotation for item in self._items))
        self._codec: Codec[tuple[Any, ...]] = Codec(array, where=where)
        self._binding = Binding(signature, self._items, where=where)
        hint = resolve(fn, signature.return_annotation, of="the result", where=where)
        self.result: Codec[Any] = Codec(hint, where=f"{where}, result")

    def encode(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """The JSON that is stored for a call; raises PayloadError or PayloadTooLarge."""
        return self._stored(self._binding.values(args, kwargs))[0]

    def roundtrip(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[bytes, Decoded]:
        """The JSON that is stored for a call, and the arguments that the body gets: what decoding gives."""
        values = self._binding.values(args, kwargs)
        try:
            raw, decoded = self._codec.roundtrip(values)
        except PayloadError as error:
            raise self._named(error, values) from None
        return raw, self._binding.as_call(decoded)

    def decode(self, raw: bytes | str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Stored arguments, ready for the call; raises PayloadError if they do not fit this signature."""
        return self._binding.as_call(self._values(raw))

    def decode_input(self, raw: bytes | str | None) -> bytes:
        """Turn input that a person wrote into what `encode` stores; raises PayloadError or PayloadTooLarge.

        One parameter: its JSON value. Several: an array in order, or an object by name. None: left out.
        """
        if raw is not None:
            self._codec.check_size(raw)
        parts = written_parts(raw, self._items, where=self.where)
        return self._stored(self._decoded(parts))[0]

    def encode_and_digest(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[bytes, bytes]:
        """`encode`, and `digest` of what it gives."""
        raw, values = self._stored(self._binding.values(args, kwargs))
        return raw, self._digest(values)

    def digest(self, encoded: bytes | str) -> bytes:
        """16 bytes that are equal for equal arguments in every process: "the same input"."""
        return self._digest(self._values(encoded))

    def _digest(self, values: tuple[Any, ...]) -> bytes:
        return blake2b(self._codec.canonical(values), digest_size=_DIGEST_BYTES).digest()

    def input_schema(self) -> dict[str, Any]:
        """JSON schema of what `decode_input` takes: the one parameter's, or an object of them by name."""
        builder = SchemaBuilder()
        schemas = {item.name: item.schema_in(builder) for item in self._items}
        if len(schemas) == 1:
            return builder.finish(schemas[self.parameters[0]])
        required = [item.name for item in self._items if item.default is None]
        body = {"type": "object", "properties": schemas, "required": required}
        return builder.finish(body | {"additionalProperties": False})

    def output_schema(self) -> dict[str, Any]:
        """JSON schema of the result."""
        return self.result.schema()

    def _stored(self, values: tuple[Any, ...]) -> tuple[bytes, tuple[Any, ...]]:
        try:
            return self._codec.roundtrip(values)
        except PayloadError as error:
            raise self._named(error, values) from None

    def _named(self, error: PayloadError, values: tuple[Any, ...]) -> PayloadError:
        """The error with the name of the argument that does not fit, if it is one alone."""
        if not isinstance(error, PayloadTooLarge):
            for item, value in zip(self._items, values, strict=True):
                try:
                    item.codec.encode(value)
                except PayloadError as named:
                    return named
        return error

    def _values(self, raw: bytes | str) -> tuple[Any, ...]:
        try:
            return self._codec.decode(raw)
        except PayloadError:  # from before a parameter was added, or one does not fit: find out which
            return self._decoded(stored_parts(raw, self._items, where=self.where))

    def _decoded(self, parts: list[bytes]) -> tuple[Any, ...]:
        return tuple(item.codec.decode(part) for item, part in zip(self._items, parts, strict=True))
