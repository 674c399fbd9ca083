"""Ten nodes on a machine that is far too small for them. `python -m bench.crowd` measures the same for ten minutes."""

from __future__ import annotations

import asyncio

import pytest
from bench.crowd import NODES, measure


@pytest.mark.verify
@pytest.mark.timeout(500)
async def test_I14_ten_nodes_under_full_load_and_none_is_declared_dead(record_property) -> None:
    found = await asyncio.to_thread(measure, 60)
    assert (found["deaths"], found["incarnations"]) == (0, NODES)
    assert found["gaps"]["beats"] >= NODES * 10, "they all went on beating"
    assert found["workflows"] > 0
    assert found["processor"] > 80, "it was full load"
    record_property("table", f"ten nodes under full load: {found}")
