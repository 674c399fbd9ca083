"""Local first, else the cluster: where steps run, and what the queues hold meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

import orquestrax as ox
from orquestrax import Retry
from orquestrax.model import events
from orquestrax.model.events import Event
from orquestrax.node import EngineOptions
from tests.checker import check_instance
from tests.cluster.conftest import Cluster
from tests.engine.until import until_event

bodies: Counter[str] = Counter()
held: dict[str, asyncio.Event] = {}


@ox.step
async def double(n: int) -> int:
    return 2 * n


@ox.step(queue="warehouse")
async def pack(n: int) -> int:
    bodies[f"pack {n}"] += 1
    return n + 1


@ox.workflow
async def packs(n: int) -> int:
    return await pack(await double(n))


@ox.step
async def waits(n: int) -> int:
    bodies["waits"] += 1
    await held["gate"].wait()
    return n


@ox.workflow
async def spreads(width: int) -> int:
    return sum(await asyncio.gather(*(waits(n) for n in range(width))))


@pytest.fixture(autouse=True)
def fresh() -> None:
    bodies.clear()
    held["gate"] = asyncio.Event()


def nodes_of(history: list[Event]) -> Counter[str]:
    """How many steps each node has completed."""
    return Counter(events.decode(e).node for e in history if e.type == events.STEP_COMPLETED)


async def test_a_step_runs_where_its_queue_is_served_and_its_result_comes_back(cluster: Cluster) -> None:
    client = await cluster.join(packs, roles="engine,worker", queues="default")
    await cluster.join(steps=[pack], roles="worker", queues="warehouse")
    assert await (await client.start(packs, 20, id="p")).result(20) == 41
    history = await check_instance(client, packs, "p")
    assert [events.decode(e).node for e in history[:2]] == [cluster.nodes[0].name, cluster.nodes[1].name]
    assert [e.type for e in history] == ["step_completed", "step_completed", "completed"], (
        "its task was part of a commit that there was anyway"
    )
    assert await cluster.tasks() == []


async def test_an_engine_without_the_role_of_a_worker_runs_no_bodies(cluster: Cluster) -> None:
    client = await cluster.join(packs, roles="engine")
    worker = await cluster.join(packs, roles="worker")
    run = await worker.start(packs, 1, id="e")
    assert await run.result(20) == 3
    history = await check_instance(client, packs, "e")
    assert nodes_of(history) == {cluster.nodes[1].name: 2}
    view = await client.view("e")
    assert view.node == cluster.nodes[0].name, "and a worker owns no instances"


async def test_a_step_of_a_queue_that_nobody_serves_waits_until_somebody_does(cluster: Cluster) -> None:
    client = await cluster.join(packs, queues="default")
    run = await client.start(packs, 1, id="w")
    await cluster.until(lambda: cluster.tasks("worker is null"))
    row = (await cluster.tasks())[0]
    assert (row["step"], row["queue"], row["attempt"], row["worker"]) == ("pack", "warehouse", 1, None)
    await cluster.join(steps=[pack], roles="worker", queues="other,warehouse")
    assert await run.result(20) == 3


async def test_a_task_is_left_alone_by_nodes_that_do_not_know_its_step(cluster: Cluster) -> None:
    client = await cluster.join(packs, roles="engine")
    await cluster.join(steps=[pack], roles="worker")
    run = await client.start(packs, 1, id="k")
    await cluster.until(lambda: cluster.tasks("worker is null"))
    await cluster.join(steps=[pack], roles="worker")
    assert [row["worker"] for row in await cluster.tasks()] == [None]
    await cluster.join(steps=[double], roles="worker")
    assert await run.result(20) == 3


async def test_alone_the_overflow_waits_in_memory_and_writes_nothing(cluster: Cluster) -> None:
    client = await cluster.join(spreads, slots=2)
    run = await client.start(spreads, 10, id="a")
    await cluster.until(lambda: asyncio.sleep(0, bodies["waits"] == 2))
    assert await cluster.tasks() == []
    assert cluster.nodes[0].incarnation.orchestrator.dispatcher.backlog == 8
    held["gate"].set()
    assert await run.result(20) == 45
    assert [e.type for e in await check_instance(client, spreads, "a")] == ["step_completed"] * 10 + [
        "completed"
    ]


async def test_with_others_the_overflow_spreads_over_the_cluster(cluster: Cluster) -> None:
    client = await cluster.join(spreads, slots=2)
    await cluster.join(spreads, slots=3)
    await cluster.until(
        lambda: asyncio.sleep(0, cluster.nodes[0].incarnation.orchestrator.dispatcher.peers.spreads)
    )
    run = await client.start(spreads, 10, id="s")
    await cluster.until(lambda: asyncio.sleep(0, bodies["waits"] == 5))
    assert len(await cluster.tasks()) == 8, "two of them run where they were asked for, and are nobody else's"
    assert len(await cluster.tasks("worker is null")) == 5
    held["gate"].set()
    assert await run.result(20) == 45
    ran = nodes_of(await check_instance(client, spreads, "s"))
    assert set(ran) == {node.name for node in cluster.nodes}
    assert bodies["waits"] == 10, "I8: each once"


async def test_what_waits_in_memory_goes_to_a_node_that_joins(cluster: Cluster) -> None:
    client = await cluster.join(spreads, slots=1)
    run = await client.start(spreads, 4, id="j")
    await cluster.until(lambda: asyncio.sleep(0, bodies["waits"] == 1))
    await cluster.join(spreads, slots=8)
    await cluster.until(lambda: asyncio.sleep(0, bodies["waits"] == 4))
    held["gate"].set()
    assert await run.result(20) == 6
    history = await check_instance(client, spreads, "j")
    queued = [events.decode(e).commands for e in history if e.type == events.STEPS_QUEUED]
    assert sorted(number for commands in queued for number in commands) == [2, 3, 4]


async def test_a_queue_has_the_limit_that_a_node_gives_it(cluster: Cluster) -> None:
    client = await cluster.join(spreads, roles="engine")
    await cluster.join(spreads, roles="worker", queues="default:3,other")
    run = await client.start(spreads, 10, id="l")
    await cluster.until(lambda: asyncio.sleep(0, bodies["waits"] == 3))
    assert len(await cluster.tasks("worker is not null")) == 3, "I17: claims never exceed it"
    held["gate"].set()
    assert await run.result(20) == 45


async def test_a_local_queue_limit_holds_up_no_other_queue(cluster: Cluster) -> None:
    client = await cluster.join(mixed, queues="default:1,*")
    run = await client.start(mixed, id="m")
    await cluster.until(lambda: asyncio.sleep(0, bodies["pack 7"]))
    assert bodies["waits"] == 1
    held["gate"].set()
    assert await run.result(20) == 0 + 1 + 2 + 8


@ox.workflow
async def mixed() -> int:
    return sum(await asyncio.gather(*(waits(n) for n in range(3)), pack(7)))


async def test_priority_decides_what_is_taken_first(cluster: Cluster) -> None:
    client = await cluster.join(packs, queues="default")
    for priority in (4, 0, 2):
        await client.start(packs, priority, id=f"o{priority}", priority=priority)
    await cluster.until(lambda: _three(cluster))
    await cluster.join(steps=[pack], roles="worker", queues="warehouse", slots=1)
    for priority in (4, 0, 2):
        await (await client.get(f"o{priority}")).result(20)
    assert list(bodies) == ["pack 0", "pack 4", "pack 8"]


async def _three(cluster: Cluster) -> bool:
    return len(await cluster.tasks()) == 3


@ox.step(queue="warehouse", retry=Retry(attempts=3, initial=0.01, never=(KeyError,)))
async def refuses(twice: bool) -> list[str]:
    info = ox.step_info()
    bodies[f"refuses {twice}"] += 1
    before = [] if info.heartbeat is None else info.heartbeat
    ox.heartbeat([*before, f"attempt {info.attempt}"])
    if info.attempt < 3 and twice:
        raise ValueError("refused")
    if not twice:
        raise KeyError("for good")
    return [*before, info.idempotency_key.partition(":")[2]]


@ox.workflow
async def insists(twice: bool) -> list[str]:
    return await refuses(twice)


async def test_attempts_elsewhere_are_history_as_those_here_are(cluster: Cluster) -> None:
    client = await cluster.join(insists, roles="engine")
    await cluster.join(insists, roles="worker")
    run = await client.start(insists, True, id="r")
    assert await run.result(20) == ["attempt 1", "attempt 2", "1"]
    history = await check_instance(client, insists, "r")
    retrying = [events.decode(e) for e in history if e.type == events.STEP_RETRYING]
    assert [(r.attempt, r.node) for r in retrying] == [(1, cluster.nodes[1].name), (2, cluster.nodes[1].name)]
    with pytest.raises(ox.WorkflowFailed, match="for good"):
        await (await client.start(insists, False, id="n")).result(20)
    assert bodies["refuses False"] == 1, "never= holds elsewhere, too"
    await check_instance(client, insists, "n")


@ox.workflow
async def gives_up() -> str:
    try:
        await asyncio.wait_for(waits(1), 0.3)
    except TimeoutError:
        return "gave up, " + await ox.receive("go", str)
    return "got it"


async def test_I20_what_nobody_waits_for_is_cancelled_elsewhere(cluster: Cluster) -> None:
    client = await cluster.join(gives_up, roles="engine")
    await cluster.join(gives_up, roles="worker")
    run = await client.start(gives_up, id="c")
    await until_event(run, events.STEP_CANCELLED)
    runner = cluster.nodes[1].incarnation.runner
    await cluster.until(lambda: asyncio.sleep(0, not runner.running and runner.free("async") == 1000))
    assert await cluster.tasks() == [], "in the same commit, though the instance goes on"
    await run.signal("go", "on")
    assert await run.result(20) == "gave up, on"
    assert cluster.nodes[1].incarnation.queues.held == {}
    await check_instance(client, gives_up, "c")


async def test_I20_terminate_takes_its_steps_from_the_queues_and_from_who_runs_them(cluster: Cluster) -> None:
    client = await cluster.join(spreads, roles="engine")
    await cluster.join(spreads, roles="worker", slots=2)
    run = await client.start(spreads, 5, id="t")
    await cluster.until(lambda: asyncio.sleep(0, bodies["waits"] == 2))
    await run.terminate("enough")
    runner = cluster.nodes[1].incarnation.runner
    await cluster.until(lambda: asyncio.sleep(0, not runner.running))
    assert await cluster.tasks() == []
    await check_instance(client, spreads, "t")


@ox.step(queue="nobody", queue_timeout=0.2)
async def urgent() -> None: ...


@ox.workflow
async def in_time() -> str:
    try:
        await urgent()
    except TimeoutError as error:
        return str(error)
    return "ran"


async def test_long_steps_elsewhere_are_announced(cluster: Cluster) -> None:
    client = await cluster.join(spreads, roles="engine")
    await cluster.join(spreads, roles="worker")
    run = await client.start(spreads, 1, id="long")
    await until_event(run, events.STEP_STARTED)
    held["gate"].set()
    await run.result(20)
    started = next(e for e in await check_instance(client, spreads, "long") if e.type == events.STEP_STARTED)
    told = events.decode(started)
    assert (told.node, told.line) == (cluster.nodes[1].name, spreads.line + 2)


async def test_a_step_that_nobody_takes_in_time_fails(cluster: Cluster) -> None:
    client = await cluster.join(in_time, queues="default")
    assert "queue_timeout" in await (await client.start(in_time, id="i")).result(20)
    assert await cluster.tasks() == []
    await check_instance(client, in_time, "i")


@ox.step
async def brief(n: int) -> int:
    await asyncio.sleep(0.002)
    return n


@ox.workflow
async def many(width: int) -> int:
    return sum(await asyncio.gather(*(brief(n) for n in range(width))))


async def test_a_slot_that_frees_takes_the_next_without_waiting_for_a_poll(cluster: Cluster) -> None:
    """Every poll alone would take a minute for each two of them."""
    patient = EngineOptions(poll=60)
    client = await cluster.join(many, roles="engine", options=patient)
    await cluster.join(many, roles="worker", slots=2, options=patient)
    assert await (await client.start(many, 40, id="b")).result(20) == sum(range(40))


def expect(cluster: Cluster, seconds: float) -> None:
    """Let the first node believe that its bodies take so long."""
    cluster.nodes[0].incarnation.orchestrator.dispatcher._tempo._means["async"] = seconds


async def test_what_a_slot_here_is_soon_free_for_stays_here(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orquestrax.core.dispatcher.LATE", 60_000_000)
    client = await cluster.join(many, slots=2)
    await cluster.join(many, slots=2)
    await cluster.until(lambda: asyncio.sleep(0, spreads_of(cluster)))
    expect(cluster, 0.001)
    assert await (await client.start(many, 40, id="soon")).result(20) == sum(range(40))
    here, there = (node.name for node in cluster.nodes)
    assert nodes_of(await check_instance(client, many, "soon")) == {here: 40}
    expect(cluster, 0.1)
    assert await (await client.start(many, 40, id="late")).result(20) == sum(range(40))
    assert there in nodes_of(await check_instance(client, many, "late"))


async def test_what_waits_here_for_longer_than_was_expected_goes_elsewhere(cluster: Cluster) -> None:
    client = await cluster.join(spreads, slots=2)
    await cluster.join(spreads, slots=8)
    await cluster.until(lambda: asyncio.sleep(0, spreads_of(cluster)))
    expect(cluster, 0.001)
    run = await client.start(spreads, 10, id="x")
    await cluster.until(lambda: asyncio.sleep(0, bodies["waits"] == 2))
    assert await cluster.tasks() == []
    await cluster.until(lambda: asyncio.sleep(0, bodies["waits"] == 10))
    held["gate"].set()
    assert await run.result(20) == 45
    assert len(nodes_of(await check_instance(client, spreads, "x"))) == 2


def spreads_of(cluster: Cluster) -> bool:
    """Whether the first node knows of another one."""
    return cluster.nodes[0].incarnation.orchestrator.dispatcher.peers.spreads
