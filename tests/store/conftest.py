"""A schema per test, migrated, and what a test opens in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from orquestrax.core.store.database import Address
from tests.schemas import lent
from tests.store.proxy import Proxy
from tests.store.support import Rig, Told


@pytest.fixture
async def address(dsn: str) -> AsyncIterator[Address]:
    """A schema of this test's own, migrated."""
    async with lent(dsn) as schema:
        yield Address(dsn=dsn, schema=schema, deadline=10.0)


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
