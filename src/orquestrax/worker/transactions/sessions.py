"""One connection of a step's own, with a transaction open: what all libraries offer to `body`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from orquestrax.core.store.conclusion import Asked, Rows
    from orquestrax.core.store.database import Address
    from orquestrax.define.transaction import Driver, Taken


class AsyncSession(Protocol):
    """For coroutines."""

    async def open(self, guard: Asked) -> Any:
        """Connect, begin, run the guard; what the body is handed."""

    async def prepare(self) -> None:
        """After the body: send what the library still holds back."""

    async def run(self, asked: Asked) -> Rows:
        """A statement of the engine's, in the same transaction; without arguments it may be several."""

    async def commit(self) -> str:
        """COMMIT, and its tag."""

    def refused(self, error: BaseException) -> bool:
        """Whether this is the server's answer to COMMIT: then nothing was committed."""

    async def close(self) -> None:
        """Let go of the connection; what is not committed is rolled back."""

    def cut(self) -> None:
        """Break the connection, from any thread."""


class Session(Protocol):
    """The same for threads."""

    def open(self, guard: Asked) -> Any:
        """See above."""

    def prepare(self) -> None:
        """See above."""

    def run(self, asked: Asked) -> Rows:
        """See above."""

    def commit(self) -> str:
        """See above."""

    def refused(self, error: BaseException) -> bool:
        """See above."""

    def close(self) -> None:
        """See above."""

    def cut(self) -> None:
        """See above."""


_PLACES: Final[dict[Driver, tuple[str, str]]] = {
    "asyncpg": ("by_asyncpg", "AsyncpgSession"),
    "psycopg async": ("by_psycopg", "AsyncPsycopgSession"),
    "psycopg": ("by_psycopg", "PsycopgSession"),
    "sqlalchemy async": ("by_alchemy", "AsyncAlchemySession"),
    "sqlalchemy": ("by_alchemy", "AlchemySession"),
}


def session_of(taken: Taken, address: Address, name: str) -> Any:
    """A session for this step, not open yet; `name` is how its connection is known to the server."""
    module, cls = _PLACES[taken.driver]
    return getattr(import_module(f"{__package__}.{module}"), cls)(address, name, taken.cls)
