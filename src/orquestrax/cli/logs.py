"""The log of our own commands: records of users' code and warnings of ours, on stderr."""

from __future__ import annotations

import logging
from typing import Final

import typer

from orquestrax.base.logs import NOWHERE, name_records
from orquestrax.cli.failing import one_line, printable

FORMAT: Final = "%(asctime)s %(levelname)-7s %(instance)s %(step)s  %(message)s"


def log_to_stderr() -> None:
    """Begin to log. Ours begin at WARNING, everybody else's at INFO."""
    name_records()
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(colours=handler.stream.isatty()))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in ("orquestrax", "uvicorn", "watchfiles", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)


class Lines(logging.Formatter):
    """Users' records with time and names; our sentences as the commands write theirs: `warning: …`, on one line."""

    def __init__(self, *, colours: bool) -> None:
        # Records of other classes than ours lack the names.
        super().__init__(FORMAT, datefmt="%H:%M:%S", defaults=NOWHERE._asdict())
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        """One record; tracebacks keep the long form."""
        if not record.name.startswith("orquestrax.") or record.exc_info or record.stack_info:
            return super().format(record)
        level = f"{record.levelname.lower()}: "
        if self._colours:
            level = typer.style(level, fg="red" if record.levelno >= logging.ERROR else "yellow", bold=True)
        return level + printable(one_line(record.getMessage()))
