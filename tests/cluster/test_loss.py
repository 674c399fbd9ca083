"""A worker is lost with the steps that it has taken: they run again elsewhere, and what it still says is refused."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

import orquestrax as ox
from orquestrax.base import faultpoint
from orquestrax.base.errors import Fenced
from orquestrax.core.store.taskverbs import TaskStore
from orquestrax.model import events
from orquestrax.model.tasks import TaskMessage
from tests.checker import check_instance
from tests.cluster.conftest import Cluster

bodies: Counter[str] = Counter()
held: dict[str, asyncio.Event] = {}


@ox.step
async def slow(n: int) -> str:
    bodies["slow"] += 1
    await held["gate"].wait()
    return f"{n}, attempt {ox.step_info().attempt}"


@ox.step(at_most_once=True)
async def once() -> str:
    bodies["once"] += 1
    await held["gate"].wait()
    return "done"


@ox.workflow
async def works(n: int) -> str:
    return await slow(n)


@ox.workflow
async def pays() -> str:
    try:
        return await once()
    except ox.StepInterrupted as error:
        return str(error)


@pytest.fixture(autouse=True)
def fresh() -> None:
    bodies.clear()
    held["gate"] = asyncio.Event()


async def runs(name: str, times: int = 1) -> None:
    async with asyncio.timeout(20):
        while bodies[name] < times:
            await asyncio.sleep(0.01)


async def test_I8_the_steps_of_a_worker_that_died_run_on_another_as_the_same_attempt(
    cluster: Cluster,
) -> None:
    client = await cluster.join(works, roles="engine")
    await cluster.join(works, roles="worker")
    run = await client.start(works, 1, id="w")
    await runs("slow")
    victim = cluster.nodes[1].incarnation.fence.number
    await cluster.crash()
    await cluster.join(works, roles="worker")
    await runs("slow", 2)
    async with asyncio.timeout(15):
        while not (taken := await client.store.takeovers([victim])):
            await asyncio.sleep(0.01)
    assert [(each.name, each.instances, each.steps) for each in taken] == [(cluster.nodes[1].name, 0, 1)]
    held["gate"].set()
    assert await run.result(20) == "1, attempt 1", "a lost node is never counted"
    history = await check_instance(client, works, "w")
    done = [events.decode(e) for e in history if e.type == events.STEP_COMPLETED]
    assert [ended.node for ended in done] == [cluster.nodes[1].name]


async def test_I8_an_at_most_once_step_that_was_taken_and_lost_is_not_run_again(cluster: Cluster) -> None:
    client = await cluster.join(pays, roles="engine")
    await cluster.join(pays, roles="worker")
    worker = cluster.nodes[1].name
    run = await client.start(pays, id="o")
    await runs("once")
    await cluster.crash()
    told = await run.result(20)
    assert f"begun on {worker} and lost" in told
    assert bodies["once"] == 1
    assert await cluster.tasks() == []
    await check_instance(client, pays, "o")


async def test_I8_the_owner_goes_and_the_steps_elsewhere_do_not_notice(cluster: Cluster) -> None:
    client = await cluster.join(works, roles="worker")
    await cluster.join(works, roles="engine")
    run = await client.start(works, 1, id="e")
    await runs("slow")
    await cluster.crash()
    await cluster.join(works, roles="engine")
    await cluster.until(lambda: cluster.query("select from {schema}.events where type = 'taken_over'"))
    held["gate"].set()
    assert await run.result(20) == "1, attempt 1"
    assert bodies["slow"] == 1, "its successor knew from the queue that the step was under way"
    await check_instance(client, works, "e")


async def test_I16_a_result_of_a_lost_attempt_is_refused(cluster: Cluster) -> None:
    client = await cluster.join(works, roles="engine")
    await cluster.join(works, roles="worker")
    run = await client.start(works, 1, id="l")
    await runs("slow")
    late = cluster.nodes[1].incarnation
    task = next(iter(late.queues.held.values()))
    await cluster.crash()
    await cluster.join(works, roles="worker")
    await runs("slow", 2)
    mine = cluster.nodes[1].incarnation
    message = told(task.instance, task.command, task.attempt, '{"command": 1, "step": "slow"}')
    with pytest.raises(Fenced):
        await TaskStore(cluster.nodes[0].database, late.fence).tell([message])
    store = TaskStore(cluster.nodes[0].database, mine.fence)
    other_attempt = told(task.instance, task.command, task.attempt + 1, "{}")
    assert await store.tell([other_attempt]) == {}, "a completion counts only from the current claim"
    assert await client.store.inbox(run.key) == []
    store.close()
    held["gate"].set()
    assert await run.result(20) == "1, attempt 1"


def told(instance: object, command: int, attempt: int, payload: str) -> TaskMessage:
    return TaskMessage(
        instance=instance,  # type: ignore[arg-type]
        command=command,
        attempt=attempt,
        kind="step",
        step="slow",
        message=f"step {instance}:{command}",
        payload=payload,
    )


@pytest.mark.parametrize("boundary", ["complete_tasks.before_commit", "complete_tasks.after_commit"])
async def test_I5_a_result_whose_commit_is_unknown_is_told_again_and_heard_once(
    cluster: Cluster, boundary: str
) -> None:
    client = await cluster.join(works, roles="engine")
    await cluster.join(works, roles="worker")
    reached = Counter[str]()

    def cut(name: str) -> None:
        reached[name] += 1
        if name == boundary and reached[name] == 1:
            raise ConnectionError(name)

    held["gate"].set()
    with faultpoint.armed(cut):
        assert await (await client.start(works, 1, id="u")).result(20) == "1, attempt 1"
        assert reached[boundary] >= 1
    assert bodies["slow"] == 1
    await check_instance(client, works, "u")


@pytest.mark.parametrize("boundary", ["claim_tasks.before_commit", "claim_tasks.after_commit"])
async def test_I5_a_claim_whose_commit_is_unknown_is_found_and_given_back(
    cluster: Cluster, boundary: str
) -> None:
    client = await cluster.join(works, roles="engine")
    await cluster.join(works, roles="worker")
    reached = Counter[str]()

    def cut(name: str) -> None:
        reached[name] += 1
        if name == boundary and reached[name] == 1:
            raise ConnectionError(name)

    held["gate"].set()
    with faultpoint.armed(cut):
        assert await (await client.start(works, 1, id="c")).result(20) == "1, attempt 1"
        assert reached[boundary] >= 1
    assert bodies["slow"] == 1
    await check_instance(client, works, "c")


async def test_a_worker_that_stops_gives_back_what_it_has_not_begun_and_what_it_cuts(
    cluster: Cluster,
) -> None:
    client = await cluster.join(works, roles="engine")
    await cluster.join(works, roles="worker", slots=1)
    for n in range(3):
        await client.start(works, n, id=f"s{n}")
    await runs("slow")
    await cluster.stop()
    assert [row["worker"] for row in await cluster.tasks()] == [None] * 3
    held["gate"].set()
    await cluster.join(works, roles="worker")
    for n in range(3):
        assert await (await client.get(f"s{n}")).result(20) == f"{n}, attempt 1"


async def test_histories_see_a_result_in_the_queue_or_in_the_inbox_while_it_moves(cluster: Cluster) -> None:
    """Events, tasks and inbox are one statement: asked for over and over while results move, none is ever missed."""
    client = await cluster.join(works, roles="engine")
    run = await client.start(works, 1, id="m")
    await cluster.until(lambda: cluster.tasks("worker is null"))
    await cluster.crash()
    await cluster.join(works, steps=[slow], roles="worker")
    node = cluster.nodes[-1].incarnation
    await runs("slow")
    seen = Counter[str]()

    async def look() -> None:
        while not seen["inbox"]:
            history = (await node.store.histories([run.key]))[run.key]
            there = ("task" if 1 in history.queued else "") + ("inbox" if history.messages else "")
            assert there in ("task", "inbox"), "in one of them, and never in none or both"
            seen[there] += 1

    async with asyncio.timeout(20):
        looking = asyncio.create_task(look())
        while seen["task"] < 3:
            await asyncio.sleep(0)
        held["gate"].set()
        await looking
    client = await cluster.join(works, roles="engine")
    assert await (await client.get("m")).result(20) == "1, attempt 1"
    assert bodies["slow"] == 1
    await check_instance(client, works, "m")


async def test_what_waits_shows_who_serves_it(cluster: Cluster) -> None:
    client = await cluster.join(works, roles="engine")
    await client.start(works, 1, id="q")
    await cluster.until(lambda: cluster.tasks("worker is null"))
    (queue,) = await client.queues()
    assert (queue.queue, queue.waiting, queue.running, queue.served_by) == ("default", 1, 0, [])
    assert queue.oldest is not None
    await cluster.join(works, roles="worker", queues="default,mail")
    await runs("slow")
    default, mail = await client.queues()
    assert (default.waiting, default.running, default.oldest) == (0, 1, None)
    assert default.served_by == mail.served_by == [cluster.nodes[1].name]
    assert (mail.queue, mail.waiting, mail.running) == ("mail", 0, 0)
    held["gate"].set()
