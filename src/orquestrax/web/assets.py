"""Static files from the package: under addresses that hold a hash of their content, so browsers keep them."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """One file: its hashed name, its media type, its bytes, plain and compressed."""

    name: str
    media_type: str
    plain: bytes
    compressed: bytes


@cache
def assets() -> dict[str, Asset]:
    """All files by their plain name, read once."""
    found = {}
    for entry in files(__package__).joinpath("static").iterdir():
        stem, _, ending = entry.name.rpartition(".")
        if ending in TYPES:
            content = entry.read_bytes()
            hashed = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{ending}"
            found[entry.name] = Asset(hashed, TYPES[ending], content, gzip.compress(content, mtime=0))
    return found


@cache
def by_hashed_name() -> dict[str, Asset]:
    """The same files by the names that pages ask for."""
    return {asset.name: asset for asset in assets().values()}
