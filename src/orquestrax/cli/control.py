"""What `dev`'s processes tell each other: JSON lines over a socket pair, whose end is an order to end."""

from __future__ import annotations

from typing import Any

import msgspec


class Begin(msgspec.Struct, tag=True):
    """To the child, first: what to import, the flags, its roles, and the descriptor of the dashboard's socket.

    `listening` is None for a child without the dashboard.
    """

    modules: list[str]
    flags: dict[str, Any]
    roles: list[str]
    listening: int | None


class Go(msgspec.Struct, tag=True):
    """To the child: take over now."""


class Nodes(msgspec.Struct, tag=True):
    """To the child with the dashboard: the processes of the nodes beside it, which may be killed."""

    pids: list[int]


class Loaded(msgspec.Struct, tag=True):
    """From the child: the code imports. `files` are its files with the time (ns) of their last change."""

    files: dict[str, int]


class Failed(msgspec.Struct, tag=True):
    """From the child, last: why it cannot work. `may_be_mended`: by a change of the code."""

    sentence: str
    files: dict[str, int]
    may_be_mended: bool


class Ready(msgspec.Struct, tag=True):
    """From the child: it serves; at `url` if it has the dashboard."""

    url: str
    definitions: list[str]


class Kill(msgspec.Struct, tag=True):
    """From the child with the dashboard: somebody pressed the button beside the node of this process."""

    pid: int


class Ended(msgspec.Struct, tag=True):
    """Of the child: its process has ended without a word."""


Order = Begin | Go | Nodes
News = Loaded | Failed | Ready | Kill | Ended

decode_order = msgspec.json.Decoder(Order).decode
decode_news = msgspec.json.Decoder(News).decode


def encode(message: Order | News) -> bytes:
    """A message as a line."""
    return msgspec.json.encode(message) + b"\n"
