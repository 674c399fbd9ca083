"""An instance ends once, whoever wants it to, and nothing follows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

import orquestrax as ox
from orquestrax.core.store.journalverbs import JournalStore
from orquestrax.model.events import STEP_COMPLETED
from orquestrax.model.rows import Verdict, Write
from orquestrax.model.states import TERMINAL
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.until import until_so

gate = asyncio.Event()
passing: list[asyncio.Event] = []


@ox.step
async def held() -> None:
    await gate.wait()


@ox.workflow
async def nearly_over() -> str:
    await held()
    return "done"


@ox.step
async def stays() -> None:
    await asyncio.Event().wait()


@ox.step
async def passes() -> None:
    passing.append(asyncio.Event())
    await passing[0].wait()


@ox.workflow
async def first_word() -> str:
    """Ends with a word, whatever still runs."""
    bodies = [asyncio.create_task(stays()), asyncio.create_task(passes())]
    word = await ox.receive("word", str)
    return f"{word}, {len(bodies)}"


ENDS = (ox.WorkflowCancelled, ox.WorkflowTerminated)


async def test_I6_whoever_ends_it_first_there_is_one_end(bench: Bench) -> None:
    """It completes, is cancelled and is terminated, all at once: from its own node, another one and a client."""
    here = await bench.node(nearly_over)
    there = await bench.node(nearly_over)
    outside = await bench.node()
    ended: Counter[str] = Counter()
    for n in range(60):
        if n >= 12 and len(ended) > 1:
            break
        gate.clear()
        run = await here.start(nearly_over, id=f"race-{n}")
        others = [await client.get(run.id) for client in (here, there, outside)]
        orders = [others[0].cancel(), others[1].terminate(), others[2].cancel()]
        tasks = [asyncio.create_task(order) for order in orders]
        if n % 3:  # at the same time, or when the one or the other was accepted
            await asyncio.wait(tasks[n % 3 - 1 : n % 3])
        await asyncio.sleep(max(0, n - 12) * 0.01)  # where one side wins every time the other gets a start
        gate.set()
        for answer in await asyncio.gather(*tasks, return_exceptions=True):
            assert answer is None or isinstance(answer, ox.InstanceEnded)
        results = await asyncio.gather(*(r.result(20) for r in (run, *others)), return_exceptions=True)
        assert len({type(result) for result in results}) == 1, "everybody is told the same"
        assert results[0] == "done" or isinstance(results[0], ENDS)
        history = await check_instance(here, nearly_over, run.id)
        ended[history[-1].type] += 1
    assert len(ended) > 1, f"no race: {ended}"


async def test_I6_nothing_follows_an_end(bench: Bench) -> None:
    gate.set()
    client = await bench.node(nearly_over)
    run = await client.start(nearly_over, id="over")
    await run.result(20)
    before = await run.history()
    for order in (run.cancel, run.terminate, run.pause):
        with pytest.raises(ox.InstanceEnded):
            await order()
    with pytest.raises(ox.InstanceEnded):
        await run.signal("late", 1)
    again = await client.start(nearly_over, id="over")
    assert await again.result(20) == "done"
    await bench.crash()
    other = await bench.node(nearly_over)
    await (await other.start(nearly_over, id="next")).result(20)  # it has claimed whatever there was to claim
    assert await (await other.get("over")).history() == before
    (row,) = await bench.query("select status, owner, wake_at from {schema}.instances where id = 'over'")
    assert row["status"] in TERMINAL
    assert (row["owner"], row["wake_at"]) == (None, None)


async def test_I3_an_end_on_its_way_is_not_written_anew_when_a_write_before_it_is_through(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that drains looks again at what came during a write; behind the end there is nothing to look at."""
    write, waits, let_go = JournalStore.write, asyncio.Event(), asyncio.Event()

    async def slow(store: JournalStore, batch: Sequence[Write]) -> list[Verdict]:
        if any(event.type == STEP_COMPLETED for each in batch for event in each.events):
            waits.set()
            await let_go.wait()
        return await write(store, batch)

    passing.clear()
    client = await bench.node(first_word)
    outside = await bench.node()
    await client.start(first_word, id="w")
    await until_so(lambda: bool(passing))
    monkeypatch.setattr(JournalStore, "write", slow)
    node = bench.nodes.pop(0)
    orchestrator = node.incarnation.orchestrator
    (execution,) = orchestrator.memory.executions.values()
    stopping = asyncio.create_task(node.stop(grace=20))
    await until_so(lambda: orchestrator.turns.acting.draining)
    passing[0].set()
    await waits.wait()
    run = await outside.get("w", first_word)
    await run.signal("word", "yes")
    await until_so(lambda: execution.ended)
    await run.signal("word", "no")
    await until_so(lambda: execution.read_mail == 2)
    let_go.set()
    assert await run.result(15) == "yes, 2"
    await stopping
    await check_instance(outside, first_word, "w")
