"""Columns of rows as single texts, which PostgreSQL splits faster than the driver sends arrays.

asyncpg asks two abstract base classes about every element of an array before it encodes it: 2.8 µs a row of a history,
against 1.2 µs with these texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

SEPARATOR: Final = b"\x1e"  # what JSON never holds unescaped; the statements say chr(30)
_ENCODE: Final = msgspec.json.Encoder().encode


def array(values: Sequence[Any]) -> str:
    """An array literal of keys, numbers, booleans, nulls, and texts without control characters (ids and names).

    Of such values it differs from JSON's array in its brackets alone.
    """
    return f"{{{_ENCODE(values)[1:-1].decode()}}}"


def array_or_null(values: Sequence[Any]) -> str | None:
    """As `array`; a column of nulls is one null: `unnest` pads the shorter columns with nulls."""
    return array(values) if any(value is not None for value in values) else None


def documents(payloads: Sequence[bytes | None]) -> str:
    """JSON texts one behind the other, as `string_to_array(…, chr(30), '')` takes them apart; nothing is null."""
    return SEPARATOR.join([payload or b"" for payload in payloads]).decode()
