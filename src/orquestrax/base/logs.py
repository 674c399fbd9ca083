"""Log records that know where they come from.

Whoever runs users' code sets `origin` in the context it runs in; from then on every record made there, by
whatever logger, carries `instance`, `step` and `attempt` (elsewhere "-", "-" and 0, so one format string
fits all records).

They are filled in late, by `getMessage`, which every formatter calls first: attributes set when the record
is made would turn each `log.info(…, extra={"step": …})` in any library into a KeyError. A caller's own
`extra` wins. A process with a record class of its own keeps it, without the names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final, NamedTuple, Protocol


class Names(NamedTuple):
    """What a record carries. `step` and `attempt` keep their defaults in workflow code."""

    instance: str = "-"
    step: str = "-"
    attempt: int = 0


class Origin(Protocol):
    """Code under way; asked for its names only when it logs."""

    @property
    def names(self) -> Names:
        """The names that its records carry."""


NOWHERE: Final = Names()
origin: Final[ContextVar[Origin | None]] = ContextVar("orquestrax_origin", default=None)


class NamedRecord(logging.LogRecord):
    """A record with the names of the code that made it."""

    _names: Names = NOWHERE

    def getMessage(self) -> str:  # noqa: N802 - the name that logging gave it
        """The message; by the way the names become plain attributes, for formatters."""
        for field, value in zip(Names._fields, self._names, strict=True):
            self.__dict__.setdefault(field, value)
        return super().getMessage()

    def __getattr__(self, name: str) -> Any:
        if name in Names._fields:
            return getattr(self._names, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class _Factory:
    """Makes records by the factory that was there before, then names them."""

    def __init__(self, previous: Callable[..., logging.LogRecord]) -> None:
        self._previous = previous

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._previous(*args, **kwargs)
        if type(record) is logging.LogRecord:
            record.__class__ = NamedRecord
            source = origin.get()
            if source is not None:
                record._names = source.names  # noqa: SLF001 - our own class
        return record


def name_records() -> None:
    """Let the records of this process carry their names. Repeated calls change nothing."""
    previous = logging.getLogRecordFactory()
    if not isinstance(previous, _Factory):
        logging.setLogRecordFactory(_Factory(previous))


_listeners: list[Callable[[logging.LogRecord], None]] = []


def listen(listener: Callable[[logging.LogRecord], None]) -> Callable[[], None]:
    """Hand `listener` every record that its logger lets pass, after its handlers; returns what ends that.

    It is called in the thread that logs, and must neither raise nor wait. It is no handler of the root logger:
    beside one, `logging.basicConfig` does nothing, and warnings no longer come out on stderr where nobody has
    configured logging.
    """
    handing = logging.Logger.callHandlers
    if not hasattr(handing, "hands_to_listeners"):
        logging.Logger.callHandlers = _and_listeners(handing)  # type: ignore[method-assign, assignment]
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def _and_listeners(
    original: Callable[[logging.Logger, logging.LogRecord], None],
) -> Callable[[logging.Logger, logging.LogRecord], None]:
    @wraps(original)
    def handing(logger: logging.Logger, record: logging.LogRecord) -> None:
        original(logger, record)
        for listener in tuple(_listeners):
            listener(record)

    handing.hands_to_listeners = True  # type: ignore[attr-defined]
    return handing
