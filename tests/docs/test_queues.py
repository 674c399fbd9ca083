"""What docs/queues.md shows is true: its code runs, on a node that has the queue."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.core.store.database import Address
from orquestrax.core.store.migrate import migrate
from orquestrax.define.modules import load_modules

PAGE = (Path(__file__).parents[2] / "docs" / "queues.md").read_text(encoding="utf-8")


async def test_steps_run_where_their_queue_is_served(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORQUESTRAX_HOME", str(tmp_path / "home"))
    (tmp_path / "shipping.py").write_text(
        re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], encoding="utf-8"
    )
    (module,) = load_modules([str(tmp_path / "shipping.py")])
    await migrate(Address(dsn=dsn, schema="queues"))
    where = {"database": dsn, "namespace": "queues"}
    async with ox.node([module], queues="default", **where) as client:
        run = await client.start(module.ship, 3)
        async with ox.node(steps=[module.pack], roles="worker", queues="warehouse:20", slots=100, **where):
            assert await run.result(20) == "3 parcels"
            (queue,) = [each for each in await client.queues() if each.queue == "warehouse"]
            assert (queue.waiting, queue.running, len(queue.served_by)) == (0, 0, 1)
