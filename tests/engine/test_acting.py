"""What a turn asks for is done behind its own commit, and a body whose result is on its way is not begun anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

import orquestrax as ox
from orquestrax.core.store.journalverbs import JournalStore
from orquestrax.core.store.nodeverbs import NodeStore
from orquestrax.model.commands import RunStep
from orquestrax.model.rows import Message, Verdict, Write
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.gated import gates, passes, ran, until_ran
from tests.engine.until import until_event, until_so, until_status

pytestmark = pytest.mark.usefixtures("gate")


@ox.step
async def acts() -> str:
    ran.append("acts")
    return "done"


@ox.step
async def waits() -> None:
    await passes("waits")


@ox.workflow
async def acts_after_waiting() -> str:
    await waits()
    return await acts()


@ox.step(transactional=True)
async def books(tx: asyncpg.Connection = ox.transaction()) -> str:
    await passes("books")
    return str(await tx.fetchval("select 'booked'"))


@ox.workflow
async def books_once() -> str:
    return await books()


SOON = ox.Retry(attempts=2, initial=0.2, jitter=0)


@ox.step(retry=SOON)
async def fails_once() -> int:
    attempt = ox.step_info().attempt
    await passes(f"attempt {attempt}")
    if attempt == 1:
        raise ValueError("once")
    return attempt


@ox.step(at_most_once=True, retry=SOON)
async def fails_once_for_good() -> int:
    return await fails_once.fn()


@ox.workflow
async def tries_again() -> int:
    return await fails_once()


@ox.workflow
async def tries_again_for_good() -> int:
    return await fails_once_for_good()


@ox.step
async def occupies() -> None:
    ran.append("occupies")
    await gates[1].wait()


@ox.workflow
async def takes_the_slot() -> None:
    await occupies()


class SlowPark:
    """The first park waits until it is let go; `before` says which bodies had begun when the next batch came."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits, self.let_go = asyncio.Event(), asyncio.Event()
        self.before: list[str] | None = None
        real = JournalStore.write

        async def write(store: JournalStore, batch: Sequence[Write]) -> list[Verdict]:
            await self._meet(any(each.change is not None and each.change.release for each in batch))
            return await real(store, batch)

        monkeypatch.setattr(JournalStore, "write", write)

    async def _meet(self, parks: bool) -> None:
        if parks and not self.waits.is_set():
            self.waits.set()
            await self.let_go.wait()
        elif self.let_go.is_set() and self.before is None:
            for _ in range(20):  # what was begun by now has begun to run
                await asyncio.sleep(0)
            self.before = list(ran)


async def test_I8_a_park_that_met_mail_does_nothing_of_what_is_not_written_yet(
    bench: Bench, gate: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code ran ahead while the park was on its way: its step waits for the write that asks for it."""
    client = await bench.node(acts_after_waiting)
    run = await client.start(acts_after_waiting, id="p")
    await until_ran("waits")
    await run.pause()
    await until_status(run, "paused")
    park = SlowPark(monkeypatch)
    gate.set()
    await park.waits.wait()
    await run.resume()
    (execution,) = bench.nodes[0].incarnation.orchestrator.memory.executions.values()
    async with asyncio.timeout(20):
        while not any(isinstance(c, RunStep) and c.name == "acts" for c in execution.replay.open.values()):
            await asyncio.sleep(0.01)
    park.let_go.set()
    assert await run.result(15) == "done"
    assert park.before == ["waits"]
    assert ran == ["waits", "acts"]
    await check_instance(client, acts_after_waiting, "p")


async def test_I8_a_step_whose_result_is_in_the_inbox_is_not_begun_anew_by_a_resume(
    bench: Bench, gate: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resume was sent before the step's commit and is read before its result."""
    read, orders = NodeStore.mail, set[str]()

    async def mail(store: NodeStore) -> tuple[list[Message], int | None]:
        messages, now = await read(store)
        return [message for message in messages if message.kind in orders], now

    monkeypatch.setattr(NodeStore, "mail", mail)
    client = await bench.node(books_once)
    run = await client.start(books_once, id="b")
    await until_ran("books")
    orders.add("pause")
    await run.pause()
    await until_status(run, "paused")
    await run.resume()
    gate.set()
    async with asyncio.timeout(20):
        while not await bench.query("select from {schema}.inbox where kind = 'step'"):
            await asyncio.sleep(0.01)
    orders.add("resume")
    await until_status(run, "running")
    orders.add("step")
    assert await run.result(15) == "booked"
    assert ran == ["books"]
    await check_instance(client, books_once, "b")


@pytest.mark.parametrize("workflow", [tries_again, tries_again_for_good])
async def test_I8_an_attempt_that_waits_for_a_slot_is_not_replaced_by_the_first_one(
    bench: Bench, gate: asyncio.Event, monkeypatch: pytest.MonkeyPatch, workflow: ox.Workflow[[], int]
) -> None:
    """Asked for by the timer, which the park that met mail has armed, then anew by the resume's own commit."""
    client = await bench.node(workflow, takes_the_slot, slots=1)
    gates.append(asyncio.Event())
    run = await client.start(workflow, id="r")
    await until_ran("attempt 1")
    orchestrator = bench.nodes[0].incarnation.orchestrator
    (execution,) = orchestrator.memory.executions.values()
    await client.start(takes_the_slot, id="t")
    await until_so(lambda: orchestrator.dispatcher.backlog == 1)
    await run.pause()
    await until_status(run, "paused")
    park = SlowPark(monkeypatch)
    gate.set()
    await park.waits.wait()
    (retry,) = execution.retries.values()
    await run.resume()
    await until_so(lambda: not execution.paused and retry.due < bench.nodes[0].incarnation.clock.now())
    park.let_go.set()
    await until_event(run, "resumed")
    await asyncio.sleep(0.1)  # in which that commit does what it asks for, as nobody could tell from outside
    gates[1].set()
    assert await run.result(20) == 2
    assert ran == ["attempt 1", "occupies", "attempt 2"]
    begun = [event.data["attempt"] for event in await run.history() if event.type == "step_started"]
    assert begun == ([1, 2] if workflow is tries_again_for_good else [])
    await check_instance(client, workflow, "r")
