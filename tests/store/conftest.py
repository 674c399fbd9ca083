"""A schema per test, migrated, and what a test opens in it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest

from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from tests.store.proxy import Proxy
from tests.store.support import Rig, Told

_numbers = itertools.count(1)


@pytest.fixture
async def address(dsn: str) -> Address:
    """A schema of this test's own, migrated. It goes with the database, at the end of the run."""
    own = Address(dsn=dsn, schema=f"t{next(_numbers)}", deadline=10.0)
    await migrate(own)
    return own


@pytest.fixture
async def rig(address: Address) -> AsyncIterator[Rig]:
    """The schema, with everything that the test opens in it."""
    async with Rig(address) as opened:
        yield opened


@pytest.fixture
def told() -> Told:
    """Where writes tell their verdicts."""
    return Told()


@pytest.fixture
async def proxy(address: Address) -> AsyncIterator[Proxy]:
    """A proxy before the test's schema."""
    async with Proxy(address) as opened:
        yield opened
