"""Poison: what the deaths of nodes are held against, and what is never suspected."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import msgspec
import pytest

from orquestrax.base.ids import uuid7
from orquestrax.core.store.batch import BatchWriter
from orquestrax.core.store.deaths import absolve, declare_dead
from orquestrax.core.store.fence import Fence
from orquestrax.core.store.nodeverbs import NodeStore
from orquestrax.core.store.taskverbs import TaskStore
from orquestrax.model.rows import Verdict
from orquestrax.model.tasks import ClaimedTask, NewTask, TaskMessage
from orquestrax.worker.queues.outcomes import lost
from tests.store.support import Rig, Told, event

CODE = {"d": {"version": "1", "digest": "abc"}}
SERVED = {"d": "abc"}


class Cluster:
    """Nodes that take what is due, alone where it must be, and die."""

    def __init__(self, rig: Rig, told: Told) -> None:
        self.rig, self.told = rig, told
        self.fence: Fence
        self.store: NodeStore

    async def node(self) -> None:
        self.fence = await self.rig.node(code=json.dumps(CODE))
        self.store = await self.rig.store(self.fence)

    async def take(self, lane: int = 0, limit: int = 100) -> set[UUID]:
        return {row.key for row in await self.store.claim_due(SERVED, lane, limit)}

    async def dies(self, *, counts: bool = True) -> list[str]:
        """Returns the ids of what was convicted; the next node is there."""
        death = await declare_dead(self.rig.address, self.fence.space, self.fence.number, None, counts=counts)
        assert death is not None
        await self.node()
        return death.convicted

    async def write(self, key: UUID, *types: str) -> None:
        """Events of the instance, in the way of its owner."""
        write = self.told.write(key)
        last = len(await self.rig.seqs(key))
        write.events = [event(last + n, type_) for n, type_ in enumerate(types, 1)]
        writer = BatchWriter(await self.rig.connect(), self.fence, self.rig.address.schema)
        assert await writer.write([write]) == [Verdict.COMMITTED]

    async def of(self, key: UUID) -> tuple[int, int]:
        row = await self.rig.row(key)
        return row["lane"], row["suspicion"]


@pytest.fixture
async def cluster(rig: Rig, told: Told) -> Cluster:
    made = Cluster(rig, told)
    await made.node()
    return made


async def test_I18_convicted_at_the_third_death_as_the_only_suspect(rig: Rig, cluster: Cluster):
    key = await rig.pending("culprit")
    assert await cluster.take(1) == {key}
    assert await cluster.dies() == []
    assert await cluster.of(key) == (0, 1)
    assert await cluster.take() == {key}
    await cluster.write(key, "taken_over")
    assert await cluster.dies() == []
    assert await cluster.of(key) == (2, 2), "from now on alone"
    assert await cluster.take() == set()
    assert await cluster.take(2) == {key}
    assert await cluster.dies() == ["culprit"]
    row = await rig.row(key)
    assert (row["status"], row["owner"], row["wake_at"]) == ("blocked", None, None)
    assert row["blocked_by"] == "abc", "other code may go on"
    message = json.loads(row["blocked"])["message"]
    assert message.startswith("3 nodes in a row died while they ran it")
    name = await rig.value("select name from {schema}.nodes where fence = $1", row["lost_owner"])
    assert name in message
    assert await cluster.take() | await cluster.take(1) | await cluster.take(2) == set()


async def test_I18_other_code_goes_on_with_it_alone(rig: Rig, cluster: Cluster):
    key = await rig.pending()
    for lane in (1, 0, 2):
        await cluster.take(lane)
        await cluster.dies()
    await cluster.store.wake_blocked([("d", "abc")])
    assert await cluster.take(2) == set()
    await cluster.store.wake_blocked([("d", "mended")])
    assert [row.key for row in await cluster.store.claim_due({"d": "mended"}, 2, 1)] == [key]


async def test_I18_what_only_says_what_begins_is_no_progress(rig: Rig, cluster: Cluster):
    """Else a body that ends its node after more than a second would be tried for ever."""
    key = await rig.pending("culprit")
    for lane in (1, 0, 2):
        assert await cluster.take(lane) == {key}
        await cluster.write(key, "taken_over", "step_started", "steps_queued")
        convicted = await cluster.dies()
    assert convicted == ["culprit"]


SIGNAL, TIMER, DUE, STEP = (
    f'[{{"kind": "{kind}", "name": "n", "until": {until}}}]'
    for kind, until in (("signal", "null"), ("timer", 9 * 10**15), ("timer", 1), ("step", "null"))
)


@pytest.mark.parametrize(
    ("waits", "deaths"), [(SIGNAL, 1), (TIMER, 1), (DUE, 2), (STEP, 2), (None, 2)],
    ids=["signal", "timer", "due", "between attempts", "running"],
)  # fmt: skip
async def test_I18_a_death_counts_for_those_of_which_something_may_have_run(
    rig: Rig, cluster: Cluster, waits: str | None, deaths: int
):
    key = await rig.pending()
    for lane in (1, 0):
        await cluster.take(lane)
        status = "running" if waits is None else "waiting"
        await rig.rows(
            "update {schema}.instances set status = $1, waits = $2 where key = $3", status, waits, key
        )
        await cluster.write(key, "taken_over")
        await cluster.dies()
    assert await cluster.of(key) == (2 if deaths > 1 else 0, deaths)


@pytest.mark.parametrize("what", ["replay", "mail", "deadline"])
async def test_I18_one_that_waits_may_have_run_all_the_same(rig: Rig, cluster: Cluster, what: str):
    """In its replay, in the turn that takes its mail, or as its time was over."""
    key = await rig.pending()
    await cluster.take(1)
    await cluster.dies()
    await cluster.take()
    await rig.rows("update {schema}.instances set status = 'waiting', waits = $1 where key = $2", SIGNAL, key)
    if what != "replay":
        await cluster.write(key, "taken_over")
    if what == "mail":
        await rig.send(key)
    if what == "deadline":
        await rig.rows("update {schema}.instances set deadline = {schema}.now()")
    await cluster.dies()
    assert await cluster.of(key) == (2, 2)


@pytest.mark.parametrize("by", ["nobody", "another", "itself"])
async def test_I18_who_is_tried_is_convicted_by_what_it_began_there(rig: Rig, cluster: Cluster, by: str):
    """Its `waits` say that it writes down what begins; so if nothing has, it was not running."""
    key = await rig.pending("tried")
    for lane in (1, 0):
        await cluster.take(lane)
        await cluster.dies()
    assert await cluster.take(2) == {key}
    await rig.rows("update {schema}.instances set waits = $1 where key = $2", STEP, key)
    await cluster.write(key, "taken_over", *([] if by == "nobody" else ["step_started"]))
    node = await rig.value("select name from {schema}.nodes where fence = $1", cluster.fence.number)
    said = json.dumps({"node": node if by == "itself" else "another-7"})
    await rig.rows("update {schema}.events set data = $1 where type = 'step_started'", said)
    assert await cluster.dies() == (["tried"] if by == "itself" else [])
    assert await cluster.of(key) == (2, 3 if by == "itself" else 2)


async def test_I18_beside_one_at_rest_a_suspect_is_convicted(rig: Rig, cluster: Cluster):
    culprit, sleeper = await rig.pending("culprit"), await rig.pending("sleeper")
    for lane in (1, 0):
        await cluster.take(lane)
        await cluster.dies()
    assert await cluster.take(2, limit=2) == {culprit, sleeper}
    await rig.rows(
        "update {schema}.instances set status = 'waiting', waits = $1 where key = $2", SIGNAL, sleeper
    )
    await cluster.write(sleeper, "taken_over")
    assert await cluster.dies() == ["culprit"]


@pytest.mark.parametrize("types", [("step_completed",), ("taken_over", "timer_fired")])
async def test_I18_progress_clears(rig: Rig, cluster: Cluster, types: tuple[str, ...]):
    key = await rig.pending()
    await cluster.take(1)
    for _ in range(5):
        assert await cluster.dies() == []
        assert await cluster.take() == {key}
        await cluster.write(key, *types)
    assert await cluster.dies() == []
    assert await cluster.of(key) == (0, 1)


async def test_I18_a_takeover_is_no_progress(rig: Rig, cluster: Cluster):
    """Nor is what was written before the first death."""
    key = await rig.pending()
    await cluster.take(1)
    await cluster.write(key, "step_completed", "timer_fired")
    for lane in (0, 0):
        await cluster.dies()
        await cluster.take(lane)
        await cluster.write(key, "taken_over")
    await cluster.dies()
    assert await cluster.of(key) == (2, 3) or await cluster.of(key) == (2, 2)


async def test_I18_a_park_clears(rig: Rig, cluster: Cluster):
    key = await rig.pending()
    await cluster.take(1)
    await cluster.dies()
    await cluster.take()
    writer = BatchWriter(await rig.connect(), cluster.fence, rig.address.schema)
    assert await writer.write([cluster.told.park(key)]) == [Verdict.COMMITTED]
    assert (await rig.row(key))["suspicion"] == 0


async def test_I18_who_has_lived_long_enough_is_cleared(rig: Rig, cluster: Cluster):
    key, other = await rig.pending(), await rig.pending()
    await cluster.take(1)
    await cluster.dies()
    await cluster.take()
    await cluster.store.clear_suspicion([key])
    assert [(await rig.row(k))["suspicion"] for k in (key, other)] == [0, 1]


async def test_I18_neighbours_are_never_convicted(rig: Rig, cluster: Cluster):
    """Two suspects on one node: whose fault it was is not known, and nobody is convicted."""
    one, two = await rig.pending(), await rig.pending()
    await cluster.take(1)
    await cluster.dies()
    await cluster.take()
    await cluster.dies()
    for _ in range(3):
        assert await cluster.take(2, limit=2) == {one, two}
        assert await cluster.dies() == []
        assert [(await rig.row(key))["status"] for key in (one, two)] == ["running"] * 2
    assert len(await cluster.take(2, limit=1)) == 1
    assert len(await cluster.dies()) == 1, "and alone it is"


async def test_I18_beside_one_that_is_new_to_suspicion_nobody_is_convicted(rig: Rig, cluster: Cluster):
    suspect = await rig.pending()
    for lane in (1, 0):
        await cluster.take(lane)
        await cluster.dies()
    await rig.pending()
    await cluster.take(1)
    await cluster.dies()
    assert len(await cluster.take(0)) == 1
    assert await cluster.take(2) == {suspect}
    assert await cluster.dies() == []
    assert (await rig.row(suspect))["status"] == "running"


async def test_I18_a_clean_stop_clears(rig: Rig, cluster: Cluster):
    key = await rig.pending()
    await cluster.take(1)
    await cluster.dies()
    await cluster.take()
    await cluster.store.release()
    assert await cluster.of(key) == (0, 0)


async def test_I18_the_death_of_a_node_whose_process_lives_does_not_count(rig: Rig, cluster: Cluster):
    key = await rig.pending()
    await cluster.take(1)
    for _ in range(4):
        assert await cluster.dies(counts=False) == []
        assert await cluster.of(key) == (0, 0)
        await cluster.take()
    assert (await rig.row(key))["lost_owner"] is not None, "a takeover all the same"


async def test_I18_a_node_that_comes_back_absolves_what_it_held(rig: Rig, cluster: Cluster):
    key = await rig.pending("x")
    for lane in (1, 0, 2):
        await cluster.take(lane)
        dead = cluster.fence
        convicted = await cluster.dies()
    assert convicted == ["x"]
    assert await absolve(rig.address, dead.number) == 1
    assert await cluster.of(key) == (2, 2)
    assert await cluster.take(2) == {key}
    assert (await rig.row(key))["status"] == "running"
    assert await absolve(rig.address, dead.number) == 0, "once"


async def test_a_message_to_a_suspect_leaves_it_in_its_lane(rig: Rig, cluster: Cluster):
    key = await rig.pending()
    for lane in (1, 0):
        await cluster.take(lane)
        await cluster.dies()
    await rig.send(key)
    assert await cluster.of(key) == (2, 2)


async def test_I8_a_takeover_that_is_not_yet_history_is_not_forgotten(rig: Rig, cluster: Cluster):
    """The claim committed and reading the histories failed: the owner finds its rows again, and whose they were."""
    key = await rig.pending()
    await cluster.take(1)
    dead = cluster.fence.number
    await cluster.dies()
    await cluster.take()
    assert [row.lost_owner for row in await cluster.store.owned()] == [dead]
    await cluster.write(key, "taken_over")
    assert [row.lost_owner for row in await cluster.store.owned()] == [None]


async def task(rig: Rig, command: int, *, once: bool = False, of: UUID | None = None) -> None:
    """A step that waits in the queue; its instance is nobody's concern, unless it is named."""
    key = of or await rig.pending(f"of task {command}")
    if of is None:
        await rig.rows("update {schema}.instances set wake_at = null where key = $1", key)
    await rig.rows(
        "insert into {schema}.tasks (instance, command, step, queue, available_at, attempt, asked_at, once, input,"
        " options) values ($1, $2, 's', 'default', {schema}.now(), 1, {schema}.now(), $3, '[]', '{}')",
        key, command, once,
    )  # fmt: skip


def new_task(command: int) -> NewTask:
    """A step as its instance hands it out."""
    return NewTask(
        command=command, step="s", queue="default", executor="async", attempt=1, asked_at=1, first_at=None,
        once=False, input=b"[]", options="{}",
    )  # fmt: skip


class Workers(Cluster):
    """The same, of steps that are claimed from the queue."""

    def __init__(self, rig: Rig, told: Told) -> None:
        super().__init__(rig, told)
        self.opened: list[TaskStore] = []

    async def node(self) -> None:
        await super().node()
        self.tasks = TaskStore(self.rig.database, self.fence)
        self.opened.append(self.tasks)

    async def claim(self, suspects: Sequence[UUID] = ()) -> set[int]:
        claimed = await self.tasks.claim({"async": 9}, ["s"], None, {}, suspects)
        return {each.command for each in claimed}

    async def lost(self) -> dict[int, int]:
        return {each.command: each.suspicion for each in await self.tasks.claim_failed(9)}


@pytest.fixture
async def workers(rig: Rig, told: Told) -> AsyncIterator[Workers]:
    made = Workers(rig, told)
    await made.node()
    yield made
    for store in made.opened:
        store.close()


@pytest.mark.parametrize("moved", [False, True])
async def test_I18_what_an_instance_is_suspected_of_its_step_is(rig: Rig, workers: Workers, moved: bool):
    """As long as nothing has happened to it; who comes back takes it back from both."""
    key = await rig.pending("hands over")
    for lane in (1, 0):
        await workers.take(lane)
        dead = workers.fence.number
        await workers.dies()
    await workers.take(2)
    if moved:
        await workers.write(key, "taken_over", "step_completed")
    write = workers.told.write(key)
    write.events = [event(len(await rig.seqs(key)) + 1, "steps_queued")]
    write.tasks = [new_task(1)]
    writer = BatchWriter(await rig.connect(), workers.fence, rig.address.schema)
    assert await writer.write([write]) == [Verdict.COMMITTED]
    (row,) = await rig.rows("select lane, suspicion, suspect_of from {schema}.tasks")
    assert tuple(row) == ((1, 0, None) if moved else (2, 2, dead))
    assert await absolve(rig.address, dead) == (1 if moved else 2)
    (row,) = await rig.rows("select lane, suspicion from {schema}.tasks")
    assert tuple(row) == ((1, 0) if moved else (0, 1))


async def test_I18_a_step_is_tried_beside_no_other_suspect(rig: Rig, workers: Workers):
    key = await rig.pending("its own")
    await task(rig, 1, of=key)
    await rig.rows("update {schema}.tasks set suspicion = 2, lane = 2")
    other = await rig.pending("other")
    assert await workers.claim(suspects=[key, other]) == set()
    await task(rig, 2)
    await rig.rows("update {schema}.tasks set suspicion = 1 where command = 2")
    assert await workers.claim(suspects=[key]) == {2}
    assert await workers.claim(suspects=[key]) == set()
    await rig.rows("delete from {schema}.tasks where command = 2")
    assert await workers.claim(suspects=[key]) == {1}


async def test_I18_a_result_leaves_a_suspect_in_its_lane(rig: Rig, workers: Workers):
    key = await rig.pending()
    for lane in (1, 0):
        await workers.take(lane)
        await workers.dies()
    await task(rig, 1, of=key)
    assert await workers.claim() == {1}
    said = TaskMessage(
        instance=key, command=1, attempt=1, kind="step", step="s", message="m", payload="{}", ends=True
    )
    assert await workers.tasks.tell([said])
    assert await workers.of(key) == (2, 2)


async def test_I18_a_step_of_a_queue_is_convicted_alone_too(rig: Rig, workers: Workers):
    for command in (1, 2):
        await task(rig, command)
    assert await workers.claim() == {1, 2}
    await workers.dies()
    assert await workers.claim() == {1, 2}, "the first death is held against nobody"
    await workers.dies()
    (first,) = await workers.claim()
    assert await workers.claim() == set(), "one suspect at a time"
    await workers.dies()
    assert await workers.lost() == {first: 3}
    (second,) = await workers.claim()
    assert {first, second} == {1, 2}


async def test_I18_a_step_that_has_run_for_a_minute_is_no_suspect(rig: Rig, workers: Workers):
    await task(rig, 1)
    for _ in range(4):
        assert await workers.claim() == {1}
        await rig.rows("update {schema}.tasks set started_at = started_at - interval '61 s'")
        await workers.dies()
        assert await rig.value("select suspicion from {schema}.tasks") == 1
    assert await workers.lost() == {}


async def test_I18_steps_and_instances_are_suspects_of_the_same_death(rig: Rig, workers: Workers):
    """One of each: nobody is convicted."""
    await task(rig, 1)
    key = await rig.pending("instance")
    for lane in (1, 0, 2):
        assert await workers.take(lane) == {key}
        assert await workers.claim() == {1}
        assert await workers.dies() == []
    assert await workers.lost() == {}
    assert await workers.claim() == {1}
    await workers.dies()
    assert await workers.lost() == {1: 4}, "alone it is"


async def test_I18_a_step_and_its_own_instance_do_not_excuse_each_other(rig: Rig, workers: Workers):
    """On one node they are one suspect: the step, as it is what ran there."""
    key = await rig.pending("its own")
    await task(rig, 1, of=key)
    for lane in (1, 0, 2):
        assert await workers.take(lane) == {key}
        assert await workers.claim() == {1}
        assert await workers.dies() == []
    assert await workers.lost() == {1: 3}


@pytest.mark.parametrize("once", [False, True], ids=["step", "at-most-once"])
async def test_I18_a_worker_that_comes_back_absolves_the_steps_it_held(
    rig: Rig, workers: Workers, once: bool
):
    """Its at-most-once steps are lost all the same, as it has dropped their bodies."""
    await task(rig, 1)
    for _ in range(3):
        assert await workers.claim() == {1}
        dead = workers.fence
        await rig.rows("update {schema}.tasks set once = suspicion > 1 and $1", once)
        await workers.dies()
    assert await rig.value("select lost from {schema}.tasks") == dead.number
    assert await absolve(rig.address, dead.number) == 1
    assert await rig.value("select suspicion from {schema}.tasks") == 2
    assert await absolve(rig.address, dead.number) == 0, "once"
    assert await workers.claim() == (set() if once else {1})
    assert await workers.lost() == ({1: 2} if once else {})


async def test_I18_a_death_that_does_not_count_is_held_against_no_step(rig: Rig, workers: Workers):
    await task(rig, 1)
    for _ in range(4):
        assert await workers.claim() == {1}
        await workers.dies(counts=False)
    assert await rig.value("select suspicion from {schema}.tasks") == 0


def test_I18_a_convicted_step_says_why():
    claimed = ClaimedTask(
        instance=uuid7(), command=1, attempt=1, step="s", queue="default", executor="async", options="{}", input="[]",
        asked_at=1, first_at=None, started_at=1, instance_id="i", definition="d", owner=None, lost="n-3", expiry=None,
        spoke=None, heartbeat=None, suspicion=3,
    )  # fmt: skip
    assert "3 nodes in a row died while they ran it, and on the last one, n-3" in lost(claimed, 2).payload
    once = lost(msgspec.structs.replace(claimed, suspicion=1), 2).payload
    assert "being at_most_once it is not run again" in once
