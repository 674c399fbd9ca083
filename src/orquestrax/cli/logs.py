"""The log of our own commands: records of users' code and warnings of ours, on stderr."""

from __future__ import annotations

import logging
from typing import Final

from orquestrax.base.logs import NOWHERE, name_records

FORMAT: Final = "%(asctime)s %(levelname)-7s %(instance)s %(step)s  %(message)s"


def log_to_stderr() -> None:
    """Begin to log. Ours begin at WARNING, everybody else's at INFO."""
    name_records()
    handler = logging.StreamHandler()
    # Records of other classes than ours lack the names.
    handler.setFormatter(logging.Formatter(FORMAT, datefmt="%H:%M:%S", defaults=NOWHERE._asdict()))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in ("orquestrax", "uvicorn", "watchfiles", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
