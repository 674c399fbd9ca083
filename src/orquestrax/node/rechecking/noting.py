"""What a replay after the end has found is noted among the instance's log records, where its page looks for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from orquestrax.core.store.database import Database
from orquestrax.core.store.logs import FINDINGS, LogLine, LogWriter
from orquestrax.node.logshipper import TROUBLE


class Notes:
    """Best effort, as all logs: a database out of reach loses a note. `on_noted` hears of the instance."""

    def __init__(self, database: Database, on_noted: Callable[[UUID], None]) -> None:
        self._database, self._on_noted = database, on_noted

    async def note(self, key: UUID, node: str | None, message: str) -> None:
        """Add a record; findings are few, so each has a connection of its own."""
        with suppress(*TROUBLE):
            now: int = (await self._database.fetch("web_now"))[0]["now"]
            writer = LogWriter(self._database.address, node or "")
            try:
                await writer.write([_line(key, now, message)])
            finally:
                writer.close()
            self._on_noted(key)


def _line(key: UUID, now: int, message: str) -> LogLine:
    return LogLine(
        instance=key,
        at=now,
        level=logging.WARNING,
        attempt=0,
        logger=FINDINGS,
        step="",
        message=message,
        trace=None,
        size=len(message.encode()),
    )
