"""What instances have logged, as clients see it, by pages of a key."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from orquestrax.base.errors import InvalidInput
from orquestrax.client.views import moment
from orquestrax.core.store.logs import LogStore, LogView

LEVELS: Final[dict[str, int]] = {
    name: getattr(logging, name) for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
}
WORKFLOW: Final = "-"  # in place of a step: the workflow itself


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A record: what `orquestrax logs --json` prints and the REST API answers.

    number     the order of arrival; pages go by it
    step       name of the step, "-" for the workflow itself; `attempt` is 0 there
    node       name of the node that ran the code
    traceback  of the exception that was logged, None if there was none
    """

    number: int
    at: datetime
    level: str
    logger: str
    step: str
    attempt: int
    node: str
    message: str
    traceback: str | None

    @classmethod
    def of(cls, view: LogView) -> LogEntry:
        """From a row."""
        return cls(
            number=view.number,
            at=moment(view.at),
            level=logging.getLevelName(view.level),
            logger=view.logger,
            step=view.step or WORKFLOW,
            attempt=view.attempt,
            node=view.node,
            message=view.message,
            traceback=view.trace,
        )


def level_of(name: str) -> int:
    """The number of a level. Raises InvalidInput."""
    level = LEVELS.get(name.upper())
    if level is None:
        raise InvalidInput(f"there is no level {name!r}: use one of {', '.join(LEVELS)}")
    return level


def stored_step(step: str | None) -> str | None:
    """A step as records store it."""
    return "" if step == WORKFLOW else step


async def entries(
    store: LogStore, key: UUID, *, after: int = 0, level: str = "DEBUG", step: str | None = None, limit: int
) -> list[LogEntry]:
    """One page, oldest first. Raises InvalidInput."""
    found = await store.of(key, after=after, level=level_of(level), step=stored_step(step), limit=limit)
    return [LogEntry.of(view) for view in found]
