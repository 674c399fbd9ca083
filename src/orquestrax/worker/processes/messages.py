"""What a node and a child process say to each other."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from orquestrax.worker.info import StepInfo
from orquestrax.worker.pulse import Told


class Place(msgspec.Struct, frozen=True):
    """Where a step is declared.

    module    the name to import it by; "__main__" for a script, which is known by its file alone
    known_as  the module's name in the node
    """

    name: str
    module: str
    known_as: str
    file: str
    qualname: str


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The first thing a child hears.

    parent  pid of the node
    path    its sys.path
    argv    its sys.argv, for modules that read it
    levels  of its loggers, by name ("" is the root)
    """

    parent: int
    path: list[str]
    argv: list[str]
    levels: dict[str, int]


class Warm(msgspec.Struct, frozen=True, tag=True):
    """Import the modules of these steps: they will be asked for."""

    places: list[Place]


class Run(msgspec.Struct, frozen=True, tag=True):
    """Run a body. `arguments` is the encoded JSON array, `memory` its limit in bytes; `says_begun` asks for Begun."""

    place: Place
    arguments: bytes
    info: StepInfo
    memory: int | None = None
    says_begun: bool = False


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The child listens."""


class Begun(msgspec.Struct, frozen=True, tag=True):
    """The modules are imported, the body begins."""


class Returned(msgspec.Struct, frozen=True, tag=True):
    """The body returned; `result` is encoded."""

    result: bytes


class Raised(msgspec.Struct, frozen=True, tag=True):
    """The body raised.

    error    as `base.failures` stores it
    lineage  (module, qualified name) of the exception's class and its bases
    after    seconds that a RetryAfter asks for
    spent    whether the child should not be used again
    """

    error: bytes
    lineage: list[tuple[str, str]]
    after: float | None
    spent: bool = False


class Logged(msgspec.Struct, frozen=True, tag=True):
    """A log record: the attributes that `logging.makeLogRecord` takes."""

    record: dict[str, Any]


Order = Begin | Warm | Run
News = Ready | Begun | Returned | Raised | Logged | Told
Outcome = Returned | Raised

encode: Final = msgspec.msgpack.Encoder().encode
decode_order: Final = msgspec.msgpack.Decoder(Order).decode
decode_news: Final = msgspec.msgpack.Decoder(News).decode
