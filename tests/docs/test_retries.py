"""What docs/retries.md and docs/transactions.md show is true: their code runs."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import asyncpg
import pytest

import orquestrax as ox
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from orquestrax.define.modules import load_modules

DOCS = Path(__file__).parents[2] / "docs"


def _load(document: str, block: int, folder: Path) -> ModuleType:
    """A block of code of a document, as a module."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / document).read_text(encoding="utf-8"), re.DOTALL)
    name = f"shown_{document.removesuffix('.md')}_{block}.py"
    (folder / name).write_text(blocks[block], encoding="utf-8")
    (module,) = load_modules([str(folder / name)])
    return module


@pytest.fixture
async def namespace(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ORQUESTRAX_HOME", str(tmp_path / "home"))
    await migrate(Address(dsn=dsn, schema="shown"))
    return "shown"


async def test_a_run_is_tried_again(dsn: str, namespace: str, tmp_path: Path) -> None:
    module = _load("retries.md", 0, tmp_path)
    async with ox.node([module], database=dsn, namespace=namespace) as client:
        assert await (await client.start(module.settle, "book")).result(20) == "book for 9.5 in attempt 1"
        assert await (await client.start(module.settle, "flaky")).result(20) == "flaky for 9.5 in attempt 2"


async def test_at_most_once(dsn: str, namespace: str, tmp_path: Path) -> None:
    module = _load("retries.md", 1, tmp_path)
    async with ox.node([module], database=dsn, namespace=namespace) as client:
        assert await (await client.start(module.thank, "Ada")).result(20) == "sent to Ada"


async def test_exactly_once(dsn: str, namespace: str, tmp_path: Path) -> None:
    module = _load("transactions.md", 0, tmp_path)
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "drop table if exists bookings; create table bookings (id serial, guest text, nights integer)"
    )
    try:
        async with ox.node([module], database=dsn, namespace=namespace) as client:
            assert await (await client.start(module.reserve, "Ada")).result(20) == 1
        assert await module.book("Bob", 1, tx=connection) == 2
        assert await connection.fetchval("select count(*) from bookings") == 2
    finally:
        await connection.close()
