"""Everything that an instance could say when it is let go of."""

from __future__ import annotations

import logging
from typing import Any


class Listener(logging.Handler):
    """All that is said: log records, and exceptions that nobody can catch (warnings are errors here)."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())

    def unraisable(self, raised: Any) -> None:
        self.heard.append(f"{raised.err_msg} {raised.object!r} {raised.exc_value!r}")
