"""The file RECORD of a wheel: a CSV of path, hash and size, relative to the folder that holds the dist-info.

What occurs in the field: paths that lead out (`../../../bin/tool`) or are absolute, entries without hash or size
(RECORD itself, signatures, what pip compiled), CRLF, commas in names, other hashes than SHA-256, lines that are
broken.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ALGORITHMS: Final = frozenset({"sha256", "sha384", "sha512"})
BLOCK: Final = 1 << 20
_FIELDS: Final = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A line: the path as written, the hash as algorithm and digest if there is one, the size if there is one."""

    path: str
    algorithm: str | None = None
    digest: bytes = b""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that says nothing."""

    number: int
    reason: str


def read_record(file: Path) -> Iterator[Entry | BrokenLine]:
    """The lines of a RECORD. Raises OSError; what is not UTF-8 or no CSV is one BrokenLine, the last."""
    with file.open(encoding="utf-8", newline="") as opened:
        rows = csv.reader(opened)
        try:
            for row in rows:
                if row:
                    yield _entry(row, rows.line_num)
        except UnicodeDecodeError:
            yield BrokenLine(rows.line_num + 1, "it is not UTF-8 from here on")
        except csv.Error as error:
            yield BrokenLine(rows.line_num, str(error))


def _entry(row: list[str], number: int) -> Entry | BrokenLine:
    path, hash_, size = (*row, "", "")[:_FIELDS]
    if len(row) > _FIELDS or not path:
        return BrokenLine(number, f"it has {len(row)} fields, path, hash and size are {_FIELDS}")
    if size and not size.isdecimal():
        return BrokenLine(number, f"the size {size!r} is no number")
    if not hash_:
        return Entry(path, size=int(size) if size else None)
    algorithm, equals, text = hash_.partition("=")
    try:
        digest = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        digest = b""
    if not equals or not digest:
        return BrokenLine(number, f"the hash {hash_!r} is none: algorithm=base64")
    return Entry(path, algorithm.lower(), digest, int(size) if size else None)


def digest_of(file: Path, algorithm: str) -> tuple[bytes, int]:
    """The digest and the size of a file's content. Raises OSError."""
    hasher, size = hashlib.new(algorithm), 0
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            hasher.update(block)
            size += len(block)
    return hasher.digest(), size
