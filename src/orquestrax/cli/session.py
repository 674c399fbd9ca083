"""The database of a command: found by the settings, named on stderr, reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from orquestrax.cli.failing import say
from orquestrax.settings import Settings, load_settings

if TYPE_CHECKING:
    from orquestrax.client.client import Client
    from orquestrax.core.store.database import Address

T = TypeVar("T")


def settings_of(**flags: str | int | None) -> Settings:
    """The settings in force with these flags, by the names of the settings. Raises SettingsError."""
    return load_settings(flags)


def announce(settings: Settings) -> None:
    """The first line on stderr names the database."""
    if settings.database is None:
        from orquestrax.core.store.embedded.layout import database_name

        name = database_name(settings.project)
        say(f"database: embedded server ({settings.home / 'postgres'}), database {name}{_schema(settings)}")
    else:
        from orquestrax.core.store.database import visible

        say(f"database: {visible(settings.database)} from {settings.source}{_schema(settings)}")


def _schema(settings: Settings) -> str:
    return "" if settings.namespace == "orquestrax" else f", schema {settings.namespace}"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Client]:
    """A client of the settings' database, named first. Raises DatabaseError and its kin."""
    from orquestrax.client.connect import connected

    announce(settings)
    async with connected(settings, created_by="cli") as client:
        yield client


def ask(database: str | None, namespace: str | None, work: Callable[[Client], Awaitable[T]]) -> T:
    """Connect, do one piece of work, and let go: what most commands are."""
    settings = settings_of(database=database, namespace=namespace)

    async def main() -> T:
        async with opened(settings) as client:
            return await work(client)

    return asyncio.run(main())


def reach(settings: Settings, work: Callable[[Address], Awaitable[T]]) -> T:
    """Name the database, then do the work at its address, without asking what schema is there."""
    from orquestrax.client.connect import reached

    async def main() -> T:
        async with reached(settings) as address:
            return await work(address)

    announce(settings)
    return asyncio.run(main())
