"""Log records of a child, handled by the node: its handlers, its levels, its filters.

In the child no handler is called: modules that configure logging at import would else say everything twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import Context
from typing import Any, Final

from orquestrax.base.logs import Origin, origin
from orquestrax.worker.processes.frames import Wire
from orquestrax.worker.processes.messages import Logged, encode

_SENT: Final = (
    "name", "levelno", "levelname", "pathname", "lineno", "funcName", "created", "msecs", "thread", "threadName",
    "process", "processName", "stack_info",
)  # fmt: skip
_KNOWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "_names", "taskName"}
_FORMAT: Final = logging.Formatter()


def levels() -> dict[str, int]:
    """The levels that are set on this process's loggers, by name; the root's is ""."""
    named = {
        name: logger.level
        for name, logger in list(logging.Logger.manager.loggerDict.items())
        if isinstance(logger, logging.Logger) and logger.level
    }
    return {"": logging.getLogger().level, **named}


def adopt(found: Mapping[str, int]) -> None:
    """Set these levels here."""
    for name, level in found.items():
        logging.getLogger(name).setLevel(level)


def relay(wire: Wire) -> None:
    """From now on this process's log records go over the wire; those of its forks go to its own handlers."""
    own = logging.Logger.callHandlers

    def hand_over(logger: logging.Logger, record: logging.LogRecord) -> None:
        if wire.cut:
            own(logger, record)
            return
        try:
            wire.send(encode(Logged(_attributes(record))))
        except OSError:
            return  # the node is gone, and this process with it

    logging.Logger.callHandlers = hand_over  # type: ignore[method-assign, assignment]


def handle(source: Origin, fields: Mapping[str, Any]) -> None:
    """In the node: a record that the body of `source` made, to the handlers of its logger."""
    logger = logging.getLogger(fields["name"])
    if logger.isEnabledFor(fields["levelno"]):
        Context().run(_handle, source, logger, dict(fields))


def _handle(source: Origin, logger: logging.Logger, fields: dict[str, Any]) -> None:
    origin.set(source)
    logger.handle(logging.makeLogRecord(fields))


def _attributes(record: logging.LogRecord) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in _SENT}
    try:
        fields["msg"] = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit their message are no fault of the step
        fields["msg"] = f"{record.msg!s} {record.args!r}"
    fields["args"] = None
    if record.exc_info and not record.exc_text:
        record.exc_text = _FORMAT.formatException(record.exc_info)
    fields["exc_text"] = record.exc_text
    extra = vars(record).keys() - _KNOWN - fields.keys()
    return fields | {
        name: value
        for name in extra
        if isinstance(value := getattr(record, name), str | int | float | bool | None)
    }
