"""Timers over outages, and beside others that cannot fire. The database's clock goes on by as much as a test says."""

from __future__ import annotations

import asyncio

import orquestrax as ox
from orquestrax.node import EngineOptions
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.until import until_status

PARKING = EngineOptions(poll=0.1, park_after=0.0)
HOUR = 3600.0
LATEST = (
    60.0  # seconds that real time may take beside the clock that is moved, on a machine with a lot else to do
)


@ox.workflow
async def naps(seconds: float) -> float:
    began = ox.now()
    await asyncio.sleep(seconds)
    return (ox.now() - began).total_seconds()


async def skip(bench: Bench, hours: int) -> None:
    """It is so many hours later than it is."""
    await bench.query(
        "create or replace function {schema}.now() returns timestamptz language sql stable parallel safe"
        f" return clock_timestamp() + interval '{hours} h'"
    )


async def types(run: ox.Run[float]) -> list[str]:
    """What has happened to it since its start."""
    return [event.type for event in (await run.history())[1:]]


async def test_I12_timers_that_cannot_fire_hold_up_no_other(bench: Bench) -> None:
    """Instances that no code fits any more are due first."""
    client = await bench.node(naps, options=PARKING)
    broken = [await client.start(naps, HOUR, id=f"broken-{n}") for n in range(30)]
    sound = [await client.start(naps, HOUR + 1, id=f"sound-{n}") for n in range(5)]
    for run in (*broken, *sound):
        await until_status(run, "waiting")
    await bench.query("update {schema}.instances set input = '[\"soon\"]' where id ^@ 'broken'")
    await skip(bench, 2)
    for run in sound:
        assert HOUR + 1 <= await run.result(20) < 2 * HOUR + LATEST
        await check_instance(client, naps, run.id)
    for run in broken:
        await until_status(run, "blocked")


async def test_I12_after_an_outage_each_timer_fires_once_when_somebody_is_there(bench: Bench) -> None:
    client = await bench.node(naps, options=PARKING)
    due = [await client.start(naps, hours * HOUR) for hours in (1, 2)]
    later = await client.start(naps, 9 * HOUR)
    for run in (*due, later):
        await until_status(run, "waiting")
    await bench.crash()
    await skip(bench, 3)
    client = await bench.node(naps, options=PARKING)
    for hours, run in enumerate(due, start=1):
        there = await client.get(run.id, naps)
        assert hours * HOUR <= await there.result(20) < 3 * HOUR + LATEST
        assert (await types(there)).count("timer_fired") == 1
        await check_instance(client, naps, run.id)
    assert (await (await client.get(later.id)).status()).status == "waiting", "nor does one fire early"


async def test_I12_a_timer_that_falls_due_while_paused_fires_after_the_resume(bench: Bench) -> None:
    client = await bench.node(naps, options=PARKING)
    paused, other = [await client.start(naps, HOUR) for _ in range(2)]
    for run in (paused, other):
        await until_status(run, "waiting")
    await paused.pause()
    await until_status(paused, "paused")
    await skip(bench, 2)
    await other.result(20)
    assert await types(paused) == ["paused"]
    await paused.resume()
    assert 2 * HOUR <= await paused.result(20) < 2 * HOUR + LATEST
    assert await types(paused) == ["paused", "resumed", "timer_fired", "completed"]
    await check_instance(client, naps, paused.id)
