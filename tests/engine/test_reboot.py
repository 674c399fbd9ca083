"""I14: after a reboot of the machine nobody holds a lock any more; what the nodes before it held goes on at once."""

from __future__ import annotations

import pytest

import orquestrax as ox
from tests.engine.conftest import Bench
from tests.engine.until import until_status


@ox.workflow
async def waits() -> str:
    value: str = await ox.receive("go", str)
    return value


@pytest.mark.parametrize(("host", "status"), [("host", "completed"), ("'another'", "waiting")])
async def test_I14_nodes_of_an_earlier_boot_of_this_host_are_dead(
    bench: Bench, host: str, status: str
) -> None:
    client = await bench.node(waits)
    bench.nodes[0].incarnation.orchestrator.turns.park_after = 10**15  # type: ignore[union-attr]
    run = await client.start(waits, id="w")
    await until_status(run, "waiting")
    await bench.nodes.pop().abandon()
    await bench.query("update {schema}.instances set owner = node where owner is null")
    await bench.query(f"update {{schema}}.nodes set boot_id = 'before', host = {host}")
    client = await bench.node(waits)
    run = await client.get("w", waits)
    await run.signal("go", "on")
    if status == "completed":
        assert await run.result(20) == "on"
        assert "taken_over" in [event.type for event in await run.history()]
    else:
        with pytest.raises(TimeoutError):
            await run.result(1)
