"""Equal values as equal bytes, whatever the order of their sets and dicts: what digests are made of."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import msgspec

from orquestrax.base.codec.hooks import ENCODER, field_names, is_model, model_items, to_plain

_SORTED = msgspec.json.Encoder(enc_hook=to_plain, order="deterministic")


def canonical_bytes(value: Any, *, unordered: bool) -> bytes:
    """Encode a decoded value so that equal values of one type give equal bytes.

    `unordered` says that the type holds sets, or dicts whose keys are not text, which msgspec cannot sort.
    """
    return _SORTED.encode(_arranged(value) if unordered else value)


def _arranged(value: Any) -> Any:
    """Sets and dicts as sorted lists; dicts stay distinguishable from lists, as Any may hold either."""
    match value:
        case dict():
            pairs = [(ENCODER.encode({key: 0}).decode(), _arranged(item)) for key, item in value.items()]
            return {"dict": sorted(pairs, key=itemgetter(0))}
        case set() | frozenset():
            return sorted((_arranged(item) for item in value), key=_SORTED.encode)
        case list() | tuple():
            return [_arranged(item) for item in value]
        case _ if is_model(type(value)):
            return {name: _arranged(item) for name, item in model_items(value)}
        case _:
            names = field_names(value)
            return (
                value
                if names is None
                else [_tag(value), *(_arranged(getattr(value, name)) for name in names)]
            )


def _tag(value: Any) -> Any:
    return value.__struct_config__.tag if isinstance(value, msgspec.Struct) else None
