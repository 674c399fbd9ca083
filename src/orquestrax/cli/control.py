"""What `dev`'s two processes tell each other: JSON lines over a socket pair, whose end is an order to end."""

from __future__ import annotations

from typing import Any

import msgspec


class Begin(msgspec.Struct, tag=True):
    """To the child, first: what to import, the flags, and the descriptor of the dashboard's socket."""

    modules: list[str]
    flags: dict[str, Any]
    listening: int


class Go(msgspec.Struct, tag=True):
    """To the child: take over now."""


class Loaded(msgspec.Struct, tag=True):
    """From the child: the code imports. `files` are its files with the time (ns) of their last change."""

    files: dict[str, int]


class Failed(msgspec.Struct, tag=True):
    """From the child, last: why it cannot work. `may_be_mended`: by a change of the code."""

    sentence: str
    files: dict[str, int]
    may_be_mended: bool


class Ready(msgspec.Struct, tag=True):
    """From the child: it serves."""

    url: str
    definitions: list[str]


class Ended(msgspec.Struct, tag=True):
    """Of the child: its process has ended without a word."""


Order = Begin | Go
News = Loaded | Failed | Ready | Ended

decode_order = msgspec.json.Decoder(Order).decode
decode_news = msgspec.json.Decoder(News).decode


def encode(message: Order | News) -> bytes:
    """A message as a line."""
    return msgspec.json.encode(message) + b"\n"
