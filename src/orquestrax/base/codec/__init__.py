"""Values to JSON and back, by type hints: the only form in which arguments, results and messages are stored.

    codec       Codec, compiled once per type: encode, decode, roundtrip, accept, canonical, schema
    shapes      what a type is made of; refuses at registration what cannot work
    hooks       what msgspec does not know: paths, pydantic models, subclasses of text and numbers
    faults      why and where a value cannot be stored
    sentences   msgspec's errors as one sentence of ours
    canonical   equal values as equal bytes, for "same input"
    schemas     JSON schema (2020-12)
    failures    exceptions as JSON

Invariants:
- A payload is stored as the exact bytes of `encode`, and everyone sees `decode` of them, live code too:
  `roundtrip` gives both. So an int given for a `float` arrives as a float, a list for a `tuple` as a tuple.
- A value is validated by decoding what was encoded. What JSON would change silently is refused: NaN,
  infinities, offsets from UTC with seconds.
- Dicts keep the order they were given; sets come out in the order they iterate, which differs between
  processes. Only `canonical` sorts, and only digests are made of it. (The `order="deterministic"` of msgspec
  loses the order of dicts, and fails for keys that are not text and for members that have no order.)
- Fields of a dict or dataclass that the hint does not know are dropped, as msgspec and pydantic do.
- Under `Any`, or without a hint, whatever msgspec can encode is accepted and plain JSON comes back:
  a dataclass as a dict, a tuple or set as a list, a datetime as text, a dict's keys as text. Integers keep
  every digit.

Failure: `DefinitionError` when a codec is made, `PayloadError` and `PayloadTooLarge` when it is used; each is
one sentence that begins with the codec's `where` and names the path within the value, `$` being the value.
"""

from orquestrax.base.codec.codec import ANY, MAX_PAYLOAD, Codec
from orquestrax.base.codec.failures import encode_error

__all__ = ["ANY", "MAX_PAYLOAD", "Codec", "encode_error"]
