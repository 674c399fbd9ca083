"""Pause and resume: of instances in every state, whoever owns them, and over the loss of their node."""

from __future__ import annotations

import asyncio

import pytest

import orquestrax as ox
from orquestrax.client.handle import Run
from orquestrax.client.views import HistoryEvent
from orquestrax.core.execution import Effects
from orquestrax.core.store.clientverbs import Order
from orquestrax.node import EngineOptions
from tests.checker import check_instance
from tests.engine.conftest import Bench
from tests.engine.gated import gates, passes, ran, until_ran
from tests.engine.until import until_event, until_status

PARKING = EngineOptions(poll=0.1, park_after=0.0)
pytestmark = pytest.mark.usefixtures("gate")


@ox.step
async def gated(name: str) -> str:
    return await passes(name)


@ox.step(retry=ox.Retry(attempts=3, initial=0.01))
async def fails_once() -> str:
    await passes("try")
    if ox.step_info().attempt == 1:
        raise ValueError("once")
    return "well"


@ox.step(at_most_once=True)
async def only_once() -> str:
    return await passes("only")


@ox.step
async def held() -> str:
    await gates[1].wait()
    return "held"


@ox.workflow
async def once_and_held() -> list[str]:
    return await asyncio.gather(only_once(), held())


@ox.workflow
async def two_steps() -> list[str]:
    return [await gated("first"), await gated("second")]


@ox.workflow
async def side_by_side() -> list[str]:
    return await asyncio.gather(gated("a"), gated("b"))


@ox.workflow
async def on_signal() -> list[str]:
    first = asyncio.create_task(gated("first"))
    await ox.receive("go", bool)
    return [await gated("second"), await first]


@ox.workflow
async def retried() -> str:
    return await fails_once()


@ox.workflow
async def begun_once() -> str:
    return await only_once()


@ox.workflow
async def collects(n: int) -> list[int]:
    return [await ox.receive("item", int) for _ in range(n)]


@ox.workflow
async def naps() -> str:
    await asyncio.sleep(0.5)
    return "rested"


@ox.workflow
async def begun() -> str:
    return ox.info().started_at.isoformat()


@ox.workflow
async def cleans_up() -> None:
    try:
        await ox.receive("never", int)
    finally:
        await gated("clean")


async def until_parked(bench: Bench, run: Run[object], status: str = "paused") -> None:
    """Until the row has this status, no owner, and is not due."""
    query = "select status = $2 and owner is null as there from {schema}.instances where id = $1"
    async with asyncio.timeout(20):
        while not (await bench.query(query, run.id, status))[0]["there"]:
            await asyncio.sleep(0.01)


def kinds(history: list[HistoryEvent]) -> list[str]:
    return [event.type for event in history[1:]]


async def test_a_body_that_runs_ends_and_nothing_new_starts(bench: Bench, gate: asyncio.Event) -> None:
    client = await bench.node(two_steps)
    run = await client.start(two_steps, id="p")
    await until_ran("first")
    await run.pause("lunch")
    await until_status(run, "paused")
    gate.set()
    await until_event(run, "step_kept")
    await until_parked(bench, run)
    assert ran == ["first"]
    await run.resume("back")
    assert await run.result(20) == ["first", "second"]
    assert ran == ["first", "second"]
    history = await run.history()
    told = [(e.type, e.data.get("by"), e.data.get("reason")) for e in history if "by" in e.data]
    assert told == [("paused", "python", "lunch"), ("resumed", "python", "back")]
    await check_instance(client, two_steps, "p")


async def test_what_a_signal_just_before_the_pause_asked_for_waits(bench: Bench, gate: asyncio.Event) -> None:
    client = await bench.node(on_signal)
    run = await client.start(on_signal, id="p")
    await until_ran("first")
    orders = [Order(instance=run.key, kind="signal", name="go", message="1", payload=b"true"),
              Order(instance=run.key, kind="pause", name="test", message="2", payload=b'""')]  # fmt: skip
    await client.store.send(orders)
    await until_status(run, "paused")
    await until_event(run, "signal_received")
    await asyncio.sleep(0.3)
    assert ran == ["first"]
    await run.resume()
    await until_ran("first", "second")
    gate.set()
    assert await run.result(20) == ["second", "first"]
    await check_instance(client, on_signal, "p")


@pytest.mark.parametrize("lost", [False, True], ids=["stays", "crash"])
async def test_I7_what_was_kept_outlives_its_node(bench: Bench, gate: asyncio.Event, lost: bool) -> None:
    client = await bench.node(side_by_side)
    run = await client.start(side_by_side, id="p")
    await until_ran("a", "b")
    await run.pause()
    await until_status(run, "paused")
    gate.set()
    await until_event(run, "step_kept", 2)
    if lost:
        await bench.crash()
        client = await bench.node(side_by_side)
        run = await client.get("p", side_by_side)
    await run.resume()
    assert await run.result(20) == ["a", "b"]
    assert ran == ["a", "b"]
    await check_instance(client, side_by_side, "p")


async def test_I8_a_crash_while_paused_starts_nothing_until_the_resume(
    bench: Bench, gate: asyncio.Event
) -> None:
    client = await bench.node(two_steps)
    run = await client.start(two_steps, id="p")
    await until_ran("first")
    await run.pause()
    await until_status(run, "paused")
    await bench.crash()
    client = await bench.node(two_steps)
    run = await client.get("p", two_steps)
    await until_parked(bench, run)
    assert ran == ["first"]
    gate.set()
    await run.resume()
    assert await run.result(20) == ["first", "second"]
    assert ran == ["first", "first", "second"], "the body that died with its node runs again"
    history = await check_instance(client, two_steps, "p")
    assert [event.type for event in history].count("taken_over") == 1


async def test_I10_signals_that_come_while_paused_are_read_in_order_after_the_resume(bench: Bench) -> None:
    client = await bench.node(collects)
    run = await client.start(collects, 4, id="p")
    await until_status(run, "waiting")
    await run.signal("item", 0)
    await until_event(run, "signal_received")
    await run.pause()
    await until_parked(bench, run)
    for n in (1, 2, 3):
        await run.signal("item", n, message_id=f"m{n}")
    await run.signal("item", 3, message_id="m3")
    assert (await run.status()).status == "paused"
    await run.resume()
    assert await run.result(20) == [0, 1, 2, 3]
    history = await check_instance(client, collects, "p")
    wanted = ["signal_received", "paused", "resumed", *["signal_received"] * 3, "completed"]
    assert [event.type for event in history] == wanted


async def test_I10_signals_behind_a_pause_that_is_not_read_yet(bench: Bench) -> None:
    """Pause, signals and resume wait together in the inbox of an instance that nobody holds."""
    client = await bench.node(collects, options=PARKING)
    run = await client.start(collects, 3, id="p")
    await until_parked(bench, run, "waiting")
    await bench.stop()
    outsider = await bench.node()
    run = await outsider.get("p", collects)
    await run.pause()
    await run.signal("item", 1)
    await run.resume()
    await run.pause("again")
    await run.resume()
    await run.signal("item", 2)
    await run.signal("item", 3)
    await bench.node(collects)
    assert await run.result(20) == [1, 2, 3]
    history = await check_instance(outsider, collects, "p")
    steered = [event.type for event in history if event.type in ("paused", "resumed")]
    assert steered == ["paused", "resumed", "paused", "resumed"]


@pytest.mark.parametrize("order", ["cancel", "terminate"])
@pytest.mark.parametrize("busy", [False, True], ids=["parked", "busy"])
async def test_I20_orders_work_on_a_paused_instance(
    bench: Bench, gate: asyncio.Event, order: str, busy: bool
) -> None:
    workflow = side_by_side if busy else cleans_up
    client = await bench.node(workflow)
    run = await client.start(workflow, id="p")
    await (until_ran("a", "b") if busy else until_status(run, "waiting"))
    await run.pause()
    await (until_status(run, "paused") if busy else until_parked(bench, run))
    if not busy:
        gate.set()
    await getattr(run, order)("enough")
    with pytest.raises((ox.WorkflowCancelled, ox.WorkflowTerminated)):
        await run.result(20)
    assert ran == (["a", "b"] if busy else ["clean"] if order == "cancel" else [])
    await check_instance(client, workflow, "p")


async def test_I11_what_was_held_back_is_listed_as_unhandled_at_a_terminate(bench: Bench) -> None:
    client = await bench.node(side_by_side)
    run = await client.start(side_by_side, id="p")
    await until_ran("a", "b")
    await run.pause()
    await until_status(run, "paused")
    await run.signal("item", 1)
    await run.terminate("enough")
    with pytest.raises(ox.WorkflowTerminated):
        await run.result(20)
    end = (await run.history())[-1]
    assert [message["name"] for message in end.data["unhandled"]] == ["item"]
    assert end.data["by"] == "python"
    await check_instance(client, side_by_side, "p")


async def test_a_pending_instance_is_paused_and_resumed_by_whoever_is_there(bench: Bench) -> None:
    """No node has its code, and none is needed to steer it."""
    await bench.node(collects)
    outsider = await bench.node()
    run = await outsider.start(naps, id="p")
    await run.pause("not yet")
    await until_parked(bench, run)
    await run.resume()
    await until_parked(bench, run, "pending")
    await run.pause()
    await until_parked(bench, run)
    client = await bench.node(naps)
    await asyncio.sleep(0.3)
    assert (await run.status()).status == "paused"
    await run.resume()
    assert await run.result(20) == "rested"
    await check_instance(client, naps, "p")


async def test_I12_code_runs_only_behind_a_start_that_is_stored(bench: Bench) -> None:
    """Claimed for an order and kept by new mail, a pending one is let go, and claimed as what is due."""
    outsider = await bench.node()
    run = await outsider.start(begun, id="w")
    await bench.query("update {schema}.instances set wake_at = null")
    await bench.node(begun)
    node = bench.nodes[-1].incarnation
    assert node is not None
    await bench.query("update {schema}.instances set owner = $1, node = $1", node.fence.number)
    node.claimer.reconcile_soon()
    seen = await run.result(15)
    stored = await bench.query("select started_at, started_on from {schema}.instances")
    assert (seen, node.fence.number) == (stored[0]["started_at"].isoformat(), stored[0]["started_on"])


async def test_a_paused_instance_that_never_ran_is_cancelled(bench: Bench) -> None:
    client = await bench.node(collects)
    outsider = await bench.node()
    run = await outsider.start(naps, id="p")
    await run.pause()
    await until_parked(bench, run)
    await run.cancel("after all")
    with pytest.raises(ox.WorkflowCancelled):
        await run.result(20)
    await check_instance(client, naps, "p")


async def test_a_parked_instance_without_its_code_is_paused_too(bench: Bench) -> None:
    client = await bench.node(collects, options=PARKING)
    run = await client.start(collects, 1, id="p")
    await until_parked(bench, run, "waiting")
    await bench.stop()
    await bench.node(naps)
    outsider = await bench.node()
    run = await outsider.get("p", collects)
    await run.pause()
    await until_parked(bench, run)
    assert (await run.status()).waits, "what it waits for stays in the row"
    await run.resume()
    await run.signal("item", 7)
    client = await bench.node(collects)
    assert await run.result(20) == [7]
    await check_instance(client, collects, "p")


async def test_orders_that_do_not_fit_the_status_are_one_clear_sentence(bench: Bench) -> None:
    client = await bench.node(collects)
    run = await client.start(collects, 1, id="p")
    await until_status(run, "waiting")
    with pytest.raises(ox.InvalidState, match="waiting, not paused: there is nothing to resume"):
        await run.resume()
    await bench.query("update {schema}.instances set status = 'blocked' where id = 'p'")
    with pytest.raises(
        ox.InvalidState, match="blocked, not running: nothing of it goes on before fitting code"
    ):
        await run.pause()
    await bench.query("update {schema}.instances set status = 'waiting' where id = 'p'")
    await run.signal("item", 1)
    await run.result(20)
    for order in (run.pause, run.resume):
        with pytest.raises(ox.InstanceEnded, match="has ended"):
            await order()


async def test_a_pause_sent_twice_is_one_and_an_order_sent_again_is_none(bench: Bench) -> None:
    client = await bench.node(collects)
    run = await client.start(collects, 1, id="p")
    await until_status(run, "waiting")
    await run.pause(message_id="a")
    await run.pause(message_id="a")
    await run.pause()
    await until_parked(bench, run)
    await run.resume()
    await run.pause(message_id="a")
    await run.signal("item", 1)
    assert await run.result(20) == [1]
    assert kinds(await run.history()) == ["paused", "resumed", "signal_received", "completed"]
    await check_instance(client, collects, "p")


async def test_a_retry_waits_for_the_resume(bench: Bench, gate: asyncio.Event) -> None:
    client = await bench.node(retried)
    run = await client.start(retried, id="p")
    await until_ran("try")
    await run.pause()
    await until_status(run, "paused")
    gate.set()
    await until_event(run, "step_retrying")
    await until_parked(bench, run)
    await asyncio.sleep(0.2)
    assert ran == ["try"]
    await run.resume()
    assert await run.result(20) == "well"
    await check_instance(client, retried, "p")


@pytest.mark.parametrize("lost", [False, True], ids=["stays", "crash"])
async def test_an_at_most_once_step_that_was_begun_is_not_lost_by_a_pause(
    bench: Bench, gate: asyncio.Event, lost: bool
) -> None:
    client = await bench.node(begun_once)
    run = await client.start(begun_once, id="p")
    await until_ran("only")
    await run.pause()
    await until_status(run, "paused")
    if lost:
        await bench.crash()
        client = await bench.node(begun_once)
        run = await client.get("p", begun_once)
    else:
        gate.set()
    await until_event(run, "step_kept")
    await run.resume()
    if lost:
        with pytest.raises(ox.WorkflowFailed, match="StepInterrupted"):
            await run.result(20)
    else:
        assert await run.result(20) == "only"
    assert ran == ["only"]
    await check_instance(client, begun_once, "p")


async def test_I9_an_at_most_once_step_whose_outcome_was_kept_is_not_begun_again(
    bench: Bench, gate: asyncio.Event
) -> None:
    """As after a park that met new mail: all that is open is acted on once more."""
    gates.append(asyncio.Event())
    client = await bench.node(once_and_held)
    run = await client.start(once_and_held, id="p")
    await until_ran("only")
    await run.pause()
    await until_status(run, "paused")
    gate.set()
    await until_event(run, "step_kept")
    orchestrator = bench.nodes[0].incarnation.orchestrator
    (execution,) = orchestrator.memory.executions.values()
    orchestrator.turns.acting.act(execution, Effects(list(execution.replay.open.values())))
    gates[1].set()
    await until_event(run, "step_kept", 2)
    await run.resume()
    assert await run.result(20) == ["only", "held"]
    assert ran == ["only"]


async def test_a_clean_stop_and_another_node_leave_it_paused(bench: Bench, gate: asyncio.Event) -> None:
    client = await bench.node(two_steps)
    run = await client.start(two_steps, id="p")
    await until_ran("first")
    await run.pause()
    await until_status(run, "paused")
    await bench.stop()
    client = await bench.node(two_steps)
    run = await client.get("p", two_steps)
    await until_parked(bench, run)
    assert ran == ["first"]
    gate.set()
    await run.resume()
    assert await run.result(20) == ["first", "second"]
    await check_instance(client, two_steps, "p")
