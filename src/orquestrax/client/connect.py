"""`ox.connect()`: a client of the database that the settings name.

    async with ox.connect() as client:
        run = await client.start(fulfil, order, id="order-42")
        print(await run.result())

Without a database in the settings it is the embedded server, which is started (or attached to), brought up to
date and kept for as long as the block runs. The schema of any other server is only checked, never changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from orquestrax.base.errors import EmbeddedServerError
from orquestrax.client.client import Client
from orquestrax.core.store.clientverbs import ClientStore
from orquestrax.core.store.database import Address, Database
from orquestrax.core.store.embedded import EmbeddedServer, start_embedded
from orquestrax.core.store.hints import Hints
from orquestrax.core.store.migrate import migrate, require_schema
from orquestrax.settings import Settings, load_settings

log = logging.getLogger(__name__)
CHECK: Final = 2.0  # seconds between looks at the embedded server's process


@asynccontextmanager
async def connect(database: str | None = None, *, namespace: str | None = None) -> AsyncIterator[Client]:
    """A client for as long as the block runs.

    database   a PostgreSQL URL; without it the settings decide, else the embedded server
    namespace  the schema, "orquestrax" unless the settings say otherwise

    Raises SettingsError, DatabaseError, DatabaseUnreachable, SchemaMismatch (`orquestrax db migrate` helps).
    """
    flags = {"database": database, "namespace": namespace}
    async with connected(load_settings(flags, said="argument ")) as client:
        yield client


@asynccontextmanager
async def connected(settings: Settings, *, created_by: str = "python") -> AsyncIterator[Client]:
    """A client for these settings; `created_by` is what the instances that it starts say of their origin."""
    async with reached(settings) as address:
        await (migrate(address) if settings.database is None else require_schema(address))
        store, hints = ClientStore(Database(address)), Hints(address)
        await store.database.open()
        hints.start()
        client = Client(store, hints, created_by=created_by)
        try:
            yield client
        finally:
            await hints.stop()
            await store.database.close()


@asynccontextmanager
async def reached(settings: Settings) -> AsyncIterator[Address]:
    """The address of the settings' database; an embedded server runs at least as long as the block."""
    if settings.database is not None:
        yield address_of(settings, settings.database)
        return
    server = await asyncio.to_thread(start_embedded, home=settings.home, project=settings.project)
    keeper = asyncio.create_task(_keep_alive(server, settings), name="embedded server")
    try:
        yield address_of(settings, server.dsn)
    finally:
        keeper.cancel()
        await asyncio.to_thread(server.stop)


def address_of(settings: Settings, dsn: str) -> Address:
    """How these settings reach a database."""
    return Address(
        dsn=dsn,
        schema=settings.namespace,
        deadline=settings.deadline,
        prepared=settings.prepared,
        listen=settings.listen,
        hints=settings.hints,
    )


async def _keep_alive(server: EmbeddedServer, settings: Settings) -> None:
    """Bring the embedded server back if it ends while it is used: nobody else would."""
    while True:
        await asyncio.sleep(CHECK)
        if await asyncio.to_thread(server.lives):
            continue
        log.warning("the embedded server has ended: starting it again")
        try:
            revived = await asyncio.to_thread(start_embedded, home=settings.home, project=settings.project)
        except EmbeddedServerError as error:
            log.warning("it cannot be started now: %s", error)
        else:
            revived.stop()  # the share of `server` keeps it
