"""`Codec`: one type, compiled once, its values to JSON and back."""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar

import msgspec

from orquestrax.base.codec.canonical import canonical_bytes
from orquestrax.base.codec.choices import choices
from orquestrax.base.codec.defaults import plan_defaults, set_defaults
from orquestrax.base.codec.faults import ENDLESS, find_fault, has_words, is_finite, one_line
from orquestrax.base.codec.hooks import ENCODER, from_plain
from orquestrax.base.codec.schemas import SchemaBuilder
from orquestrax.base.codec.sentences import breach, malformed, misfit
from orquestrax.base.codec.shapes import read_shape
from orquestrax.base.errors import DefinitionError, PayloadError, PayloadTooLarge

T = TypeVar("T")

MAX_PAYLOAD = 2_000_000
"""The most bytes of JSON that one value may take."""

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Codec(Generic[T]):
    r"""Values of one type to JSON bytes and back.

    `where` begins every error ("step 'charge', result"). Raises DefinitionError if values of the type cannot
    be stored, or not be told apart when they are read.

        >>> codec = Codec(dict[str, int], where="stock")
        >>> codec.roundtrip({"b": 1, "a": 2})
        (b'{"b":1,"a":2}', {'b': 1, 'a': 2})
    """

    __slots__ = ("_decode", "_lossy", "_plans", "_shape", "annotation", "where")

    def __init__(self, annotation: Any, *, where: str) -> None:
        self.annotation, self.where = annotation, where
        try:
            self._shape = read_shape(annotation)
        except ValueError as error:
            raise DefinitionError(f"{where}: {error}") from None
        self._plans = plan_defaults(self._shape.root)
        self._lossy = self._shape.nullable or self._shape.worded or self._shape.timed
        self._decode = msgspec.json.Decoder(self._shape.annotation, dec_hook=from_plain).decode

    def encode(self, value: T) -> bytes:
        """The JSON that is stored for `value`; raises PayloadError or PayloadTooLarge."""
        return self.roundtrip(value)[0]

    def roundtrip(self, value: T) -> tuple[bytes, T]:
        """The JSON that is stored for `value`, and the value that everyone sees: what decoding gives.

        Raises PayloadError with the path to what does not fit the type or JSON, and PayloadTooLarge.
        """
        try:
            raw = ENCODER.encode(value)
        except Exception as error:  # noqa: BLE001 - encoding runs code of the value's own classes
            raise self._refusal(value, error) from None
        if len(raw) > MAX_PAYLOAD:
            raise self._too_large(len(raw))
        # `in` asks first whether the bytes are a number, which makes it ten times dearer than `find`.
        if raw.find(b"\\u0000") >= 0 and _NUL.search(raw):
            raise self._refusal(
                value, ValueError("it holds a NUL character, which PostgreSQL does not store")
            )
        try:
            decoded: T = self._decode(raw)
        except Exception as error:  # noqa: BLE001 - decoding runs code of the value's own classes
            raise self._refusal(value, error, raw) from None
        if self._lossy:
            self._check_loss(value, decoded, raw)
        if self._plans:
            set_defaults(decoded, self._plans)
        return raw, decoded

    def decode(self, raw: bytes | str) -> T:
        """The value of stored JSON; raises PayloadError with the path, what is expected and what is there."""
        try:
            value: T = self._decode(raw)
        except Exception as error:  # noqa: BLE001 - decoding runs code of the value's own classes
            raise PayloadError(f"{self.where}: {self._explain(error, raw)}") from None
        if self._plans:
            set_defaults(value, self._plans)
        return value

    def accept(self, raw: bytes | str) -> bytes:
        """JSON from outside, checked and written as `encode` does; raises PayloadError or PayloadTooLarge."""
        self.check_size(raw)
        return self.encode(self.decode(raw))

    def check_size(self, raw: bytes | str) -> None:
        """Raise PayloadTooLarge for JSON over the limit, before anything is done with it."""
        size = (
            len(raw) if isinstance(raw, bytes) or raw.isascii() else len(raw.encode(errors="surrogatepass"))
        )
        if size > MAX_PAYLOAD:
            raise self._too_large(size)

    def canonical(self, value: T) -> bytes:
        """Bytes that are equal for equal *decoded* values, in every process; for digests, not for storing."""
        try:
            return canonical_bytes(value, unordered=self._shape.unordered)
        except RecursionError:
            raise PayloadError(f"{self.where}: the value is nested too deeply") from None

    def schema(self) -> dict[str, Any]:
        """The JSON schema (2020-12) of the type."""
        builder = SchemaBuilder()
        return builder.finish(self.schema_in(builder))

    def schema_in(self, builder: SchemaBuilder) -> dict[str, Any]:
        """The JSON schema of the type, its named parts shared with others of the same builder."""
        return builder.of(self._shape.root)

    def _too_large(self, size: int) -> PayloadTooLarge:
        return PayloadTooLarge(
            f"{self.where}: {size:,} bytes of JSON are over the limit of {MAX_PAYLOAD:,}; "
            "store the data elsewhere and pass where it is"
        )

    def _check_loss(self, value: T, decoded: T, raw: bytes) -> None:
        """Refuse what JSON would silently change; what only its type changed, a list to a tuple, may pass."""
        shape = self._shape
        nulls, words = shape.nullable and b"null" in raw, shape.worded and has_words(raw)
        if not (nulls or words or shape.timed) or (not words and _same(decoded, value)):
            return
        fault = find_fault(value) if words or shape.timed or not is_finite(value) else None
        if fault:
            raise PayloadError(f"{self.where}: {fault}")

    def _refusal(self, value: T, error: Exception, raw: bytes | None = None) -> PayloadError:
        """Say why `value` cannot be stored: what has no form in JSON comes before what the type says."""
        if isinstance(error, RecursionError):
            reason = ENDLESS
        else:
            reason = find_fault(value) or (one_line(error) if raw is None else self._explain(error, raw))
        return PayloadError(f"{self.where}: {reason}")

    def _explain(self, error: Exception, raw: bytes | str) -> str:
        if not isinstance(error, msgspec.ValidationError):
            known = isinstance(error, msgspec.DecodeError | RecursionError | UnicodeError)
            return malformed(error, raw) if known else one_line(error)
        if (broken := breach(raw)) is not None:  # behind what does not fit: that is not the type's affair
            return malformed(broken, raw)
        what, path = misfit(error)
        allowed = choices(self._shape.root, path) if "enum value" in what else ""
        at = "" if path == "$" else f" at {path}"
        return f"{what}{at}" + (f"; it must be one of {allowed}" if allowed else "")


def _same(decoded: Any, value: Any) -> bool:
    try:
        return bool(decoded == value)
    except Exception:  # noqa: BLE001 - a class may compare as it likes, and a signalling NaN raises
        return False


ANY: Codec[Any] = Codec(Any, where="value")
"""For values without a hint: takes what msgspec can encode, gives plain JSON types back."""
