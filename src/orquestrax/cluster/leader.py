"""The lead: which node does the upkeep of the whole cluster.

One row says who has it, in which term, and until when by the database's clock. Whoever has it trusts in it for a
shorter time, by a clock of its own and from the moment when it asked: so it has stopped to believe before anybody else
can take it. Nothing depends on there being a leader, nor on there being one at most: what it does is swept once more by
the next one, and every sweep takes the fences of what it frees.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import asyncpg

from orquestrax.cluster.lease import Clock, uptime
from orquestrax.core.store.database import within
from orquestrax.core.store.statements import statement

log = logging.getLogger(__name__)
TRUSTED: Final = 0.8  # of the lease
RENEWED: Final = 3  # times in a lease


class Leader:
    """Of one node. `leads` may be read at any time; `look` stands for the lead, or renews it, when that is due.

    `seconds` is how long the lead lasts without being renewed, `on_lead` is called when a term of its own begins.
    """

    def __init__(
        self,
        schema: str,
        fence: int,
        seconds: float,
        *,
        on_lead: Callable[[], None] = lambda: None,
        clock: Clock = uptime,
    ) -> None:
        self._schema, self._fence, self.seconds, self._clock = schema, fence, seconds, clock
        self._on_lead = on_lead
        self._trusted = self._look_at = clock()
        self.term = 0

    @property
    def leads(self) -> bool:
        """Whether it certainly has the lead now."""
        return self._clock() < self._trusted

    async def look(self, connection: asyncpg.Connection, deadline: float) -> None:
        """Ask the database if it is time to. Raises what the database raises."""
        sent = self._clock()
        if sent < self._look_at:
            return
        self._look_at = sent + self.seconds / RENEWED
        text = statement(self._schema, "lead")
        rows = await within(connection, connection.fetch(text, self._fence, self.seconds), deadline)
        if not rows:
            self._trusted = sent
            return
        self._trusted = sent + self.seconds * TRUSTED
        if rows[0]["term"] != self.term:
            self.term = rows[0]["term"]
            log.info("node %d does the upkeep from now on (term %d)", self._fence, self.term)
            self._on_lead()
