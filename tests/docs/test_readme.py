"""What the README shows is true: its first workflow is the example, and its code runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.define.catalogue import collect
from orquestrax.define.modules import load_modules

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_first_workflow_is_the_example() -> None:
    example = (ROOT / "examples" / "hello.py").read_text(encoding="utf-8")
    assert BLOCKS[0].strip() in example


def test_the_first_workflow_has_fifteen_lines() -> None:
    assert len([line for line in BLOCKS[0].splitlines() if line.strip()]) <= 15


async def test_the_shop_runs(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "readme_shop.py").write_text(BLOCKS[1], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORQUESTRAX_HOME", str(tmp_path / "home"))
    (shop,) = load_modules(["readme_shop.py"])
    assert set(collect([shop]).workflows) == {"fulfil"}
    from orquestrax.core.store.database import Address
    from orquestrax.core.store.migrate import migrate

    await migrate(Address(dsn=dsn, schema="readme"))
    async with ox.node([shop], database=dsn, namespace="readme") as client:
        run = await client.start(shop.fulfil, shop.Order("42", 9.5), id="order-42")
        await run.signal("approval", True)
        assert await run.result(20) == "parcel 42"
        refused = await client.start(shop.fulfil, shop.Order("43", 1.0))
        await refused.signal("approval", False)
        with pytest.raises(ox.WorkflowFailed, match="not approved"):
            await refused.result(20)
