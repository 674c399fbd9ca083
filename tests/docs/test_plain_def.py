"""What docs/plain-def.md shows runs as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.checker import check_instance

import orquestrax as ox
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from orquestrax.define.catalogue import collect
from orquestrax.define.modules import load_modules

PAGE = Path(__file__).parents[2] / "docs" / "plain-def.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


async def test_the_code_of_the_page_runs(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain_shop.py").write_text("\n\n".join(BLOCKS), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORQUESTRAX_HOME", str(tmp_path / "home"))
    (shop,) = load_modules(["plain_shop.py"])
    assert set(collect([shop]).workflows) == {"fulfil", "send_all", "send_one"}
    await migrate(Address(dsn=dsn, schema="plaindocs"))
    orders = [shop.Order("42", ["books", "pen"]), shop.Order("43", ["lamp"])]
    async with ox.node([shop], database=dsn, namespace="plaindocs") as client:
        run = await client.start(shop.fulfil, orders[0], id="order-42")
        await run.signal("approval", True)
        refused = await client.start(shop.fulfil, orders[1], id="order-43")
        await refused.signal("approval", False)
        every = await client.start(shop.send_all, orders)
        one = await client.start(shop.send_one, orders[1])
        assert await every.result(20) == ["receipt for 42: packed books", "receipt for 43: packed lamp"]
        assert await one.result(20) == "receipt for 43: packed lamp"
        assert await run.result(20) == "packed pen and packed books"
        with pytest.raises(ox.WorkflowFailed, match="not approved"):
            await refused.result(20)
        await ox.testing.assert_deterministic(
            shop.fulfil, await ox.testing.history(client, "order-42"), seeds=1
        )
        history = await check_instance(client, shop.fulfil, "order-43")
        assert [event.type for event in history].count("step_completed") == 2  # charged and refunded


def test_the_step_functions_alone_can_be_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain_unit.py").write_text("\n\n".join(BLOCKS), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (shop,) = load_modules(["plain_unit.py"])
    assert shop.send(shop.Order("42", ["pen"])) == "receipt for 42: packed pen"
