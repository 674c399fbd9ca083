"""I21: with hints off everything holds, only later: tests of the engine once more, with nodes that only poll."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine import test_attempts, test_blocked, test_messages, test_pause
from tests.engine.conftest import Bench
from tests.schemas import lent

# The marks of the modules do not come with their tests.
pytestmark = [pytest.mark.verify, pytest.mark.usefixtures("gate")]
for _module in (test_attempts, test_blocked, test_messages, test_pause):
    for _name, _test in vars(_module).items():
        if _name.startswith("test_"):
            globals()[f"{_name}_with_hints_off"] = _test


@pytest.fixture
async def bench(dsn: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """As everywhere, but nobody is told of anything."""
    async with lent(dsn) as schema:
        made = Bench(dsn, tmp_path, schema, hints=False)
        yield made
        for node in reversed(made.nodes):
            await node.stop(grace=0)
