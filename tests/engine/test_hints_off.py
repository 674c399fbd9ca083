"""I21: with hints off everything holds, only later: tests of the engine once more, with nodes that only poll."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orquestrax.core.store.migrate import migrate
from tests.engine import test_attempts, test_blocked, test_messages, test_pause
from tests.engine.conftest import Bench

pytestmark = [pytest.mark.verify, pytest.mark.usefixtures("gate")]
_numbers = itertools.count()
for _module in (test_attempts, test_blocked, test_messages, test_pause):
    for _name, _test in vars(_module).items():
        if _name.startswith("test_"):
            globals()[f"{_name}_with_hints_off"] = _test


@pytest.fixture
async def bench(dsn: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """As everywhere, but nobody is told of anything."""
    made = Bench(dsn, tmp_path, f"unhinted{next(_numbers)}", hints=False)
    await migrate(made.address)
    yield made
    for node in reversed(made.nodes):
        await node.stop(grace=0)
    await made.query("drop schema {schema} cascade")
