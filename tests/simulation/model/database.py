"""The model as something to connect to: connections with the few methods of asyncpg's that the stores use.

`Database.run(work)` runs `work(connection)` as one transaction at one moment. The PostgreSQL twin has the same face.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from orquestrax.core.store.statements import statement
from tests.simulation.model.claims import ClaimStatements
from tests.simulation.model.clients import ClientStatements
from tests.simulation.model.journal import JournalStatements
from tests.simulation.model.nodes import NodeStatements

T = TypeVar("T")
SCHEMA = "simulated"
Work = Callable[[Any], Awaitable[T]]


class Statements(NodeStatements, ClaimStatements, JournalStatements, ClientStatements):
    """Every statement that the engine runs, by the name of its file."""


class Database:
    """The model. `now` is set by the server before each transaction."""

    schema = SCHEMA

    def __init__(self) -> None:
        self.statements = Statements()
        self._connection = Connection(self.statements)

    def run(self, now: int, work: Work[T], *, atomic: bool = False) -> T:
        """Do it; what raises leaves nothing behind if it is `atomic` (single statements are anyhow)."""
        self.statements.now = now
        before = self.statements.tables.copied() if atomic else None
        try:
            return _driven(work(self._connection))
        except Exception:
            if before is not None:
                self.statements.tables = before
            raise

    def passes(self, fence: int) -> bool:
        """Whether this node is alive."""
        return self.statements.passes(fence)

    def leader(self) -> dict[str, Any]:
        """Who has the lead, and until when."""
        return self.statements.tables.leader

    def statuses(self) -> list[str]:
        """Of all instances."""
        return [row["status"] for row in self.statements.tables.instances.values()]

    def dump(self) -> dict[str, Any]:
        """All that is stored."""
        tables = self.statements.tables
        rows = sorted(tables.instances.values(), key=lambda row: row["id"])
        return {"instances": rows, "events": tables.events, "inbox": tables.inbox, "tasks": len(tables.tasks)}

    def close(self) -> None:
        """Nothing to let go of."""


class Connection:
    """Finds the model's method by the text of the statement, which is that of sql/<name>.sql."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._names = {statement(SCHEMA, name): name for name in dir(Statements) if _has_file(name)}

    async def fetch(self, text: str, *arguments: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = getattr(self._statements, self._names[text])(*arguments)
        return rows

    async def fetchrow(self, text: str, *arguments: Any) -> dict[str, Any] | None:
        rows = await self.fetch(text, *arguments)
        return rows[0] if rows else None

    async def fetchval(self, text: str, *arguments: Any) -> Any:
        rows = await self.fetch(text, *arguments)
        return next(iter(rows[0].values())) if rows else None

    async def execute(self, text: str, *arguments: Any) -> str:
        if text in self._names:
            return f"ROWS {len(await self.fetch(text, *arguments))}"
        return text.upper()

    async def prepare(self, text: str) -> Prepared:
        return Prepared(self, text)


class Prepared:
    """A prepared statement; its status names the number of rows that it returned."""

    def __init__(self, connection: Connection, text: str) -> None:
        self._connection, self._text, self._rows = connection, text, 0

    async def fetch(self, *arguments: Any) -> list[dict[str, Any]]:
        rows = await self._connection.fetch(self._text, *arguments)
        self._rows = len(rows)
        return rows

    def get_statusmsg(self) -> str:
        return f"ROWS {self._rows}"


def _has_file(name: str) -> bool:
    return not name.startswith("_") and name not in {"passes", "insert", "last_seq"}


def _driven(work: Awaitable[T]) -> T:
    """The model answers at once, so nothing ever waits."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("the model made somebody wait")
